use std::{
    fmt,
    net::{SocketAddr, SocketAddrV6},
};

/// The address of a peer, or of the socket it talks to.
///
/// It prints as an operator writes it: `192.0.2.7:5000`, `[2001:db8::1]:5000`, `[fe80::1%6]:5000`.
/// An IPv4 peer of a dual-stack socket is shown as plain IPv4, never as `::ffff:192.0.2.7`.
///
/// # Examples
///
/// ```
/// use datagrammar::Addr;
/// use std::net::SocketAddr;
///
/// let addr = Addr::from("192.0.2.7:5000".parse::<SocketAddr>()?);
/// assert_eq!(addr.to_string(), "192.0.2.7:5000");
/// assert_eq!(addr.socket_addr().map(|addr| addr.port()), Some(5000));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Addr {
    /// An IP address and a UDP port.
    Ip(SocketAddr),
}

impl Addr {
    /// Returns the IP address and port, or `None` for a peer that has none.
    #[must_use]
    pub const fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(addr) => Some(*addr),
        }
    }

    /// The one name of the socket at `addr`: IPv4-mapped addresses become IPv4, and the flow label,
    /// which a peer may change at will, is left out. The scope id stays: it tells links apart.
    pub(crate) fn canonical(addr: SocketAddr) -> Self {
        let SocketAddr::V6(v6) = addr else { return Self::Ip(addr) };
        Self::Ip(match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
        })
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(addr) => addr.fmt(f),
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Self {
        Self::canonical(addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Addr::canonical(text.parse().unwrap()).to_string()
    }

    // B-8
    #[test]
    fn an_ipv4_mapped_address_is_shown_as_plain_ipv4() {
        assert_eq!(canonical("[::ffff:192.0.2.7]:5000"), "192.0.2.7:5000");
    }

    // B-9
    #[test]
    fn the_scope_id_is_part_of_a_peer_and_the_flow_label_is_not() {
        let ip = "fe80::1".parse().unwrap();
        let at = |flow, scope| Addr::from(SocketAddr::V6(SocketAddrV6::new(ip, 9000, flow, scope)));

        assert_eq!(at(0, 6), at(12_345, 6));
        assert_ne!(at(0, 6), at(0, 7));
    }

    // B-14
    #[test]
    fn addresses_print_as_operators_write_them() {
        assert_eq!(canonical("127.0.0.1:9000"), "127.0.0.1:9000");
        assert_eq!(canonical("[::1]:9000"), "[::1]:9000");
        assert_eq!(canonical("[fe80::1%6]:9000"), "[fe80::1%6]:9000");
    }
}
