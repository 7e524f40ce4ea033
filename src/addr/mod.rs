//! The address of a peer or a socket.

mod repr;
#[cfg(unix)]
mod unix;

use std::{
    fmt, io,
    net::{AddrParseError, IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    option,
    path::Path,
    str::FromStr,
    sync::Arc,
};

use repr::Proxied;
pub(crate) use repr::{Rare, Repr};
#[cfg(unix)]
pub(crate) use unix::{UnixName, bytes_of_name};

/// The address of a peer or a socket: an IP address and a port, or the name of a Unix socket.
///
/// `Display` shows it in the usual form: `192.0.2.7:5000`, `[2001:db8::1]:5000`, `[fe80::1%6]:5000`,
/// `/run/app.sock`, `@name` for an abstract name, and `<unnamed>`. In the name of a Unix socket, characters
/// that are not printable are escaped.
///
/// Two `Addr` that mean the same peer are always equal: an IPv4 peer of a dual-stack socket has its IPv4
/// address, not `::ffff:192.0.2.7`, and the flow label of IPv6 is left out. So an `Addr` can be the key of a
/// map. Unnamed Unix sockets cannot be distinguished. So each datagram of an unnamed socket has an address of
/// its own, which equals no other.
///
/// The address of a peer behind a [trusted proxy](crate::ServerBuilder::trust_proxy) remembers that [proxy](Self::proxy), and
/// what is sent to this `Addr` goes there. It equals the same address without a proxy.
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
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(pub(crate) Repr);

// Each datagram has one, and so has each conversation.
const _: () = assert!(size_of::<Addr>() == size_of::<SocketAddr>());

impl Addr {
    /// The most memory, in bytes, that an IP address takes besides its own: that of a peer behind a proxy.
    pub(crate) const SHARED: usize = size_of::<Proxied>() + 2 * size_of::<usize>();

    /// Returns the IP address and the port, or `None` if the address is not an IP address.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Repr::Ip(addr) => Some(*addr),
            Repr::Rare(Rare::Proxied(proxied)) => Some(proxied.peer),
            #[cfg(unix)]
            Repr::Rare(Rare::Unix(_)) => None,
        }
    }

    /// Returns the IP address, or `None` if the address is not an IP address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|addr| addr.ip())
    }

    /// Returns the port, or `None` if the address has no port.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.socket_addr().map(|addr| addr.port())
    }

    /// Returns the proxy that has passed on the datagrams of this peer, or `None` if they came without one. What is sent to
    /// this `Addr` goes to the proxy.
    ///
    /// There are such addresses if the server [trusts proxies](crate::ServerBuilder::trust_proxy).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::Addr;
    ///
    /// let addr: Addr = "192.0.2.7:5000".parse()?;
    /// assert_eq!(addr.proxy(), None);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn proxy(&self) -> Option<SocketAddr> {
        match &self.0 {
            Repr::Rare(Rare::Proxied(proxied)) => Some(proxied.proxy),
            _ => None,
        }
    }

    /// Returns the path of a Unix socket, or `None` if the address is not a path.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use datagrammar::Addr;
    /// use std::{os::unix::net::SocketAddr, path::Path};
    ///
    /// let addr = Addr::from(SocketAddr::from_pathname("/run/app.sock").unwrap());
    /// assert_eq!(addr.as_pathname(), Some(Path::new("/run/app.sock")));
    /// assert_eq!(addr.ip(), None);
    /// # }
    /// ```
    #[must_use]
    pub fn as_pathname(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Ip(_) | Repr::Rare(Rare::Proxied(_)) => None,
            #[cfg(unix)]
            Repr::Rare(Rare::Unix(name)) => name.as_pathname(),
        }
    }

    /// Returns the abstract name of a Unix socket of Linux, without the zero byte at its beginning. Returns
    /// `None` if the address is not an abstract name.
    #[must_use]
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Ip(_) | Repr::Rare(Rare::Proxied(_)) => None,
            #[cfg(unix)]
            Repr::Rare(Rare::Unix(name)) => name.as_abstract_name(),
        }
    }

    /// Returns whether this is a Unix socket without a name. Nothing can be sent to it.
    #[must_use]
    pub const fn is_unnamed(&self) -> bool {
        match &self.0 {
            Repr::Ip(_) | Repr::Rare(Rare::Proxied(_)) => false,
            #[cfg(unix)]
            Repr::Rare(Rare::Unix(name)) => matches!(name, UnixName::Unnamed(_)),
        }
    }

    /// The address of a UDP socket, or the one to which datagrams for a peer go. It is always an IP address.
    #[inline]
    pub(crate) fn ip_socket(&self) -> &SocketAddr {
        match &self.0 {
            Repr::Ip(addr) => addr,
            Repr::Rare(rare) => rare.ip_socket(),
        }
    }

    /// Makes the canonical form of `addr`. IPv4-mapped addresses become IPv4. The flow label is left out,
    /// because a peer may change it at any time. The scope id stays, because it distinguishes links.
    pub(crate) fn canonical(addr: SocketAddr) -> Self {
        Self(Repr::Ip(canonical(addr)))
    }

    /// Makes the address of a peer behind a proxy. That of the proxy must be canonical.
    pub(crate) fn proxied(peer: SocketAddr, proxy: SocketAddr) -> Self {
        Self(Repr::Rare(Rare::Proxied(Arc::new(Proxied { peer: canonical(peer), proxy }))))
    }
}

/// Each datagram clones an address several times, so an IP address is copied without a call.
impl Clone for Addr {
    #[inline]
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Repr::Ip(addr) => Repr::Ip(*addr),
            Repr::Rare(rare) => rare.cloned(),
        })
    }

    #[inline]
    fn clone_from(&mut self, source: &Self) {
        match (&mut self.0, &source.0) {
            (Repr::Ip(this), Repr::Ip(source)) => *this = *source,
            _ => replace(self, source),
        }
    }
}

#[cold]
fn replace(addr: &mut Addr, source: &Addr) {
    *addr = source.clone();
}

/// The canonical form of `addr`, as in [`Addr::canonical`].
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(v6) = addr else { return addr };
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => SocketAddr::from((v4, v6.port())),
        None => SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
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
            Repr::Rare(Rare::Proxied(proxied)) => proxied.peer.fmt(f),
            #[cfg(unix)]
            Repr::Rare(Rare::Unix(name)) => name.fmt(f),
        }
    }
}

/// Parses an IP address with a port: `192.0.2.7:5000`, `[2001:db8::1]:5000`. A path is not parsed; make the
/// address of a Unix socket from a `std::os::unix::net::SocketAddr`.
impl FromStr for Addr {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.parse::<SocketAddr>().map(Self::from)
    }
}

/// Compares with the canonical form of the other address: an IPv4-mapped address equals the IPv4 address, and
/// the flow label is ignored.
impl PartialEq<SocketAddr> for Addr {
    fn eq(&self, other: &SocketAddr) -> bool {
        self.socket_addr().is_some_and(|addr| addr == canonical(*other))
    }
}

/// With this, the sockets of the standard library accept an `Addr`. Fails with
/// [`Unsupported`](io::ErrorKind::Unsupported) for an address that is not an IP address.
impl ToSocketAddrs for Addr {
    type Iter = option::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let addr = self.socket_addr().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Some(addr).into_iter())
    }
}

/// Clones the address, so that a function with an `impl Into<Addr>` argument accepts a reference too.
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

#[cfg(unix)]
impl From<std::os::unix::net::SocketAddr> for Addr {
    fn from(addr: std::os::unix::net::SocketAddr) -> Self {
        Self(Repr::Rare(Rare::Unix(UnixName::from(&addr))))
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
    fn an_address_equals_a_socket_address_in_canonical_form() {
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
