//! Sockets of the operating system: made here, or taken over from a user.

use std::{
    error::Error,
    fmt, io,
    net::{SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use super::Linux;
use super::{Transport, Udp};

/// A bound datagram socket to build a server or a client on.
///
/// It is made from a `std::net::UdpSocket`, or, with the feature `testing`, from a socket of a network
/// in memory.
pub struct BoundSocket(pub(crate) Kind);

pub(crate) enum Kind {
    Udp(UdpSocket),
    #[cfg(feature = "testing")]
    Memory(crate::transport::memory::MemorySocket),
}

impl BoundSocket {
    pub(crate) fn into_transport(self, options: &Options) -> io::Result<Box<dyn Transport>> {
        match self.0 {
            Kind::Udp(socket) => {
                if check(&socket)?.port() == 0 {
                    let text = "a bound socket was expected";
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                socket.set_nonblocking(true)?;
                // Whether it merges what it receives is an option of the socket, and not ours.
                transport(socket, options, false)
            }
            #[cfg(feature = "testing")]
            Kind::Memory(socket) => Ok(Box::new(socket)),
        }
    }
}

impl From<UdpSocket> for BoundSocket {
    fn from(socket: UdpSocket) -> Self {
        Self(Kind::Udp(socket))
    }
}

#[cfg(feature = "testing")]
impl From<crate::transport::memory::MemorySocket> for BoundSocket {
    fn from(socket: crate::transport::memory::MemorySocket) -> Self {
        Self(Kind::Memory(socket))
    }
}

impl fmt::Debug for BoundSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Udp(socket) => socket.fmt(f),
            #[cfg(feature = "testing")]
            Kind::Memory(socket) => socket.fmt(f),
        }
    }
}

/// What is set on a new socket.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) recv_buffer: usize,
    pub(crate) send_buffer: usize,
    pub(crate) ttl: Option<u8>,
    pub(crate) broadcast: bool,
    /// Whether to use only those system calls that all systems have.
    pub(crate) portable: bool,
    pub(crate) offload: bool,
}

impl Default for Options {
    /// The default buffers of most systems hold a few hundred datagrams, which a burst exceeds.
    fn default() -> Self {
        Self {
            recv_buffer: 4 << 20,
            send_buffer: 4 << 20,
            ttl: None,
            broadcast: false,
            portable: false,
            offload: true,
        }
    }
}

impl Options {
    /// A new non-blocking socket for the family of `addr`.
    fn socket(&self, addr: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Never more than a wish: the kernel gives what its own limits allow.
        let _ = socket.set_recv_buffer_size(self.recv_buffer);
        let _ = socket.set_send_buffer_size(self.send_buffer);
        match (self.ttl, addr) {
            (None, _) => {}
            (Some(hops), SocketAddr::V4(_)) => socket.set_ttl_v4(hops.into())?,
            (Some(hops), SocketAddr::V6(_)) => socket.set_unicast_hops_v6(hops.into())?,
        }
        if self.broadcast {
            socket.set_broadcast(true)?;
        }
        Ok(socket)
    }
}

/// What drives a bound non-blocking socket best; with `merge`, it may have the kernel merge what it
/// receives.
#[cfg_attr(
    any(not(target_os = "linux"), datagrammar_portable),
    expect(unused_variables, reason = "there is one way only")
)]
pub(crate) fn transport(
    socket: UdpSocket,
    options: &Options,
    merge: bool,
) -> io::Result<Box<dyn Transport>> {
    let udp = Udp::new(socket)?;
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    if !options.portable {
        return Ok(Box::new(Linux::new(udp, merge && options.offload, options.offload)));
    }
    Ok(Box::new(udp))
}

/// A new non-blocking socket bound to `addr`. One on `[::]` takes IPv4 too, unless `ipv6_only`.
pub(crate) fn bind(addr: SocketAddr, ipv6_only: bool, options: &Options) -> io::Result<UdpSocket> {
    let socket = options.socket(addr)?;
    if addr.is_ipv6() {
        socket.set_only_v6(ipv6_only)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// A new non-blocking socket connected to `peer`.
pub(crate) fn connect(
    local: Option<SocketAddr>,
    peer: SocketAddr,
    options: &Options,
) -> io::Result<UdpSocket> {
    let socket = options.socket(peer)?;
    if let Some(local) = local {
        socket.bind(&local.into())?;
    }
    socket.connect(&peer.into())?;
    Ok(socket.into())
}

/// The addresses that were tried in vain, at least one, and why.
#[derive(Debug)]
pub(crate) struct AddrErrors {
    pub(crate) what: &'static str,
    pub(crate) failed: Vec<(SocketAddr, io::Error)>,
}

impl fmt::Display for AddrErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (addr, error)) in self.failed.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{addr} {}: {error}", self.what)?;
        }
        Ok(())
    }
}

impl Error for AddrErrors {}

impl From<AddrErrors> for io::Error {
    /// An error of the kind that the first address failed with.
    fn from(error: AddrErrors) -> Self {
        let kind =
            error.failed.first().map_or(io::ErrorKind::InvalidInput, |(_, error)| error.kind());
        Self::new(kind, error)
    }
}

/// Whether `error` says that the host has no addresses of that family.
pub(crate) fn lacks_family(error: &io::Error) -> bool {
    #[cfg(unix)]
    const FAMILY: i32 = libc::EAFNOSUPPORT;
    #[cfg(windows)]
    const FAMILY: i32 = 10_047;

    error.raw_os_error() == Some(FAMILY) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Returns the address of `socket`; refuses what is not a datagram socket of IP.
pub(crate) fn check(socket: &UdpSocket) -> io::Result<SocketAddr> {
    let expected = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    if SockRef::from(socket).r#type()? != Type::DGRAM {
        return Err(expected("a datagram socket was expected"));
    }
    socket.local_addr().map_err(|_| expected("a socket of IPv4 or IPv6 was expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign() -> SocketAddr {
        "192.0.2.99:9000".parse().unwrap()
    }

    fn failed(kinds: &[io::ErrorKind]) -> AddrErrors {
        let failed = kinds.iter().map(|kind| (foreign(), (*kind).into())).collect();
        AddrErrors { what: "cannot be bound", failed }
    }

    // B-4, C-14
    #[test]
    fn an_error_names_each_address_and_keeps_the_kind() {
        let error = io::Error::from(failed(&[io::ErrorKind::AddrInUse, io::ErrorKind::NotFound]));

        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let expected = "192.0.2.99:9000 cannot be bound: address in use; \
                        192.0.2.99:9000 cannot be bound: entity not found";
        assert_eq!(error.to_string(), expected);
    }

    // B-6
    #[test]
    fn a_family_is_lacking_when_the_kernel_says_so() {
        #[cfg(unix)]
        assert!(lacks_family(&io::Error::from_raw_os_error(libc::EAFNOSUPPORT)));
        assert!(lacks_family(&io::ErrorKind::AddrNotAvailable.into()));
        assert!(!lacks_family(&io::ErrorKind::AddrInUse.into()));
        assert!(!lacks_family(&io::ErrorKind::PermissionDenied.into()));
    }

    // B-10
    #[test]
    fn a_new_socket_is_bound_for_itself() {
        let socket = bind("127.0.0.1:0".parse().unwrap(), false, &Options::default()).unwrap();

        assert!(!SockRef::from(&socket).reuse_address().unwrap());
    }

    // B-7
    #[test]
    fn a_new_socket_says_which_families_it_serves() {
        let any = "[::]:0".parse().unwrap();

        for ipv6_only in [false, true] {
            let socket = bind(any, ipv6_only, &Options::default()).unwrap();
            assert_eq!(SockRef::from(&socket).only_v6().unwrap(), ipv6_only);
        }
    }

    #[test]
    fn what_is_asked_for_is_set() {
        let options = Options { ttl: Some(7), broadcast: true, ..Options::default() };
        let peer = |text: &str| text.parse().unwrap();

        let v4 = connect(None, peer("127.0.0.1:9"), &options).unwrap();
        let v6 = connect(None, peer("[::1]:9"), &options).unwrap();

        assert_eq!((v4.ttl().unwrap(), v4.broadcast().unwrap()), (7, true));
        assert_eq!(SockRef::from(&v6).unicast_hops_v6().unwrap(), 7);
    }
}
