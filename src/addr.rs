//! The address of a peer, or of a socket.

use std::{
    fmt, io,
    net::{AddrParseError, IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    option,
    str::FromStr,
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
///
/// let addr: Addr = "192.0.2.7:5000".parse()?;
/// assert_eq!(addr.to_string(), "192.0.2.7:5000");
/// assert_eq!(addr.port(), Some(5000));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(pub(crate) Repr);

/// An address by its one name. It is made by [`Addr::canonical`], or from what the kernel reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Repr {
    /// An IP address and a UDP port.
    Ip(SocketAddr),
}

impl Addr {
    /// Returns the IP address and port, or `None` for a peer that has none.
    #[must_use]
    pub const fn socket_addr(&self) -> Option<SocketAddr> {
        match self.0 {
            Repr::Ip(addr) => Some(addr),
        }
    }

    /// Returns the IP address, or `None` for an address that has none.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|addr| addr.ip())
    }

    /// Returns the port, or `None` for an address that has none.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.socket_addr().map(|addr| addr.port())
    }

    /// The one name of the socket at `addr`: IPv4-mapped addresses become IPv4, and the flow label,
    /// which a peer may change at will, is left out. The scope id stays: it tells links apart.
    pub(crate) fn canonical(addr: SocketAddr) -> Self {
        let SocketAddr::V6(v6) = addr else { return Self(Repr::Ip(addr)) };
        Self(Repr::Ip(match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
        }))
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Ip(addr) => addr.fmt(f),
        }
    }
}

/// Parses an IP address with a port: `192.0.2.7:5000`, `[2001:db8::1]:5000`.
impl FromStr for Addr {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.parse::<SocketAddr>().map(Self::from)
    }
}

/// Compares with the one name of the other address: an IPv4-mapped one is IPv4, and the flow label does not
/// count.
impl PartialEq<SocketAddr> for Addr {
    fn eq(&self, other: &SocketAddr) -> bool {
        let Self(Repr::Ip(other)) = Self::canonical(*other);
        matches!(self.0, Repr::Ip(addr) if addr == other)
    }
}

/// So that the sockets of the standard library take it. Fails with
/// [`Unsupported`](io::ErrorKind::Unsupported) for an address that is not an IP address.
impl ToSocketAddrs for Addr {
    type Iter = option::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let addr = self.socket_addr().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Some(addr).into_iter())
    }
}

/// A clone, so that whatever takes an address takes a reference too.
impl From<&Self> for Addr {
    fn from(addr: &Self) -> Self {
        addr.clone()
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

    // B-8, B-9
    #[test]
    fn an_address_equals_a_socket_address_by_its_one_name() {
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:5000".parse().unwrap();
        let addr: Addr = "192.0.2.7:5000".parse().unwrap();

        assert_eq!(addr, mapped);
        assert_eq!((addr.ip(), addr.port()), (Some([192, 0, 2, 7].into()), Some(5000)));
        assert!("192.0.2.7".parse::<Addr>().is_err());
    }

    // B-14
    #[test]
    fn addresses_print_as_operators_write_them() {
        assert_eq!(canonical("127.0.0.1:9000"), "127.0.0.1:9000");
        assert_eq!(canonical("[::1]:9000"), "[::1]:9000");
        assert_eq!(canonical("[fe80::1%6]:9000"), "[fe80::1%6]:9000");
    }
}
