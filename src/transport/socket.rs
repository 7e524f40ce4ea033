//! Sockets of the operating system: made here, or taken over from a user.

use super::{Transport, Udp};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
};

/// A bound datagram socket to build a server or a client on.
///
/// It is made from a `std::net::UdpSocket`, or, with the feature `testing`, from a socket of a network
/// in memory.
pub struct BoundSocket(pub(crate) Kind);

pub(crate) enum Kind {
    Udp(UdpSocket),
    #[cfg(feature = "testing")]
    Memory(crate::testing::MemorySocket),
}

impl BoundSocket {
    pub(crate) fn into_transport(self) -> io::Result<Box<dyn Transport>> {
        match self.0 {
            Kind::Udp(socket) => {
                check(&socket)?;
                socket.set_nonblocking(true)?;
                Ok(Box::new(Udp::new(socket)?))
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
impl From<crate::testing::MemorySocket> for BoundSocket {
    fn from(socket: crate::testing::MemorySocket) -> Self {
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

/// How many octets of socket buffer are asked for in each direction. The default of most systems
/// holds a few hundred datagrams, which a burst exceeds; the kernel gives less if it must.
const BUFFER: usize = 4 << 20;

/// A new non-blocking socket bound to `addr`. One on `[::]` takes IPv4 too, unless `ipv6_only`.
pub(crate) fn bind(addr: SocketAddr, ipv6_only: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(ipv6_only)?;
    }
    socket.set_nonblocking(true)?;
    // Never more than a wish.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// Whether `error` says that the host has no addresses of that family.
pub(crate) fn lacks_family(error: &io::Error) -> bool {
    #[cfg(unix)]
    const FAMILY: i32 = libc::EAFNOSUPPORT;
    #[cfg(windows)]
    const FAMILY: i32 = 10_047;

    error.raw_os_error() == Some(FAMILY) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Refuses what is not a bound datagram socket of IP.
pub(crate) fn check(socket: &UdpSocket) -> io::Result<()> {
    let expected = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    if SockRef::from(socket).r#type()? != Type::DGRAM {
        return expected("a datagram socket was expected");
    }
    match socket.local_addr() {
        Ok(addr) if addr.port() != 0 => Ok(()),
        Ok(_) => expected("a bound socket was expected"),
        Err(_) => expected("a socket of IPv4 or IPv6 was expected"),
    }
}
