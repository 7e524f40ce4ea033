//! Transports as values: the arguments of `Server::bind` and `Client::connect`.

#[cfg(unix)]
mod inherited;
#[cfg(unix)]
mod take_over;
mod udp;
#[cfg(unix)]
mod unix;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
#[cfg(unix)]
use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

#[cfg(unix)]
pub use inherited::Inherited;
#[cfg(unix)]
pub(crate) use inherited::Which;
pub(crate) use sealed::Source;
use sealed::{Destination, Sources};
#[cfg(unix)]
pub use take_over::TakeOver;
pub(crate) use udp::On;
pub use udp::Udp;
#[cfg(unix)]
pub(crate) use unix::OnUnix;
#[cfg(unix)]
pub use unix::Unix;

use super::targets::Targets;
use crate::Addr;
#[cfg(doc)]
use crate::ToAddrs;
#[cfg(unix)]
use crate::addr::{Rare, Repr};

/// A value that a [`Server`](crate::Server) can be bound to: an address, several addresses, or another
/// transport.
///
/// | value | transport |
/// | --- | --- |
/// | an address in any form of [`ToAddrs`], or several addresses | UDP with the default options |
/// | [`Udp`] | UDP with options |
/// | `Unix` | Unix datagrams, on Unix systems |
/// | `UdpSocket` and `UnixDatagram` of std and tokio | your own socket, whose options stay as they are |
/// | [`Inherited`] (Unix) | sockets that systemd or another parent process has passed |
/// | [`TakeOver`] (Unix) | sockets of another process, which hands them over |
/// | `MemorySocket` (feature `testing`) | a network in memory |
/// | [`AnyTransport`] | one of those, chosen at run time |
/// | tuples `(a, b)`, `(a, b, c)`, `(a, b, c, d)`, and a `Vec` of one of these | all of them: one server, one handler, one handle |
///
/// You cannot implement this trait for your own types.
///
/// # Examples
///
/// ```
/// use datagrammar::{Bind, BindError, Server, Text, Udp};
///
/// async fn serve(transport: impl Bind) -> Result<Server, BindError> {
///     Server::bind(transport, Text, async |text: String| text).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let here = serve("127.0.0.1:0").await?;
/// let both = serve((Udp::new("127.0.0.1:0").ttl(1), std::net::UdpSocket::bind("127.0.0.2:0")?)).await?;
/// assert_eq!(here.handle().local_addrs().len(), 1);
/// assert_eq!(both.handle().local_addrs().len(), 2);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a server cannot be bound to `{Self}`",
    label = "this is not an address or a transport",
    note = "a server is bound to an address like \"[::]:9000\", a `SocketAddr`, several addresses, \
            `Udp::new(..)`, `Unix::new(..)`, a socket of std or tokio, or a tuple of these"
)]
pub trait Bind: Sources + Send {}

impl<T: Sources + Send> Bind for T {}

/// A value that a [`Client`](crate::Client) can be connected to: the address of its peer, or another
/// transport that contains it.
///
/// | value | transport |
/// | --- | --- |
/// | an address in any form of [`ToAddrs`]; the first of several that can be connected | UDP with the default options |
/// | [`Udp`] | UDP with options |
/// | `Unix` | Unix datagrams, on Unix systems |
/// | `UdpSocket` and `UnixDatagram` of std and tokio | your own connected socket, whose options stay as they are |
/// | [`Inherited`] (Unix) | a connected socket that a parent process has passed |
/// | `MemorySocket` (feature `testing`) | a connected socket of a network in memory |
/// | [`AnyTransport`] | one of those, chosen at run time |
///
/// You cannot implement this trait for your own types.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Connect, ConnectError, Text};
///
/// async fn client(transport: impl Connect) -> Result<Client<Text>, ConnectError> {
///     Client::connect(transport, Text).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// socket.connect("127.0.0.1:9000")?;
/// assert_eq!(client(socket).await?.peer_addr().port(), Some(9000));
/// assert_eq!(client(("127.0.0.1", 9000)).await?.peer_addr().port(), Some(9000));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a client cannot be connected to `{Self}`",
    label = "this is not an address or a transport",
    note = "a client is connected to an address like \"localhost:9000\", a `SocketAddr`, `Udp::new(..)`, \
            `Unix::new(..)`, or over a connected socket of std or tokio"
)]
pub trait Connect: Destination + Send {}

impl<T: Destination + Send> Connect for T {}

mod sealed {
    use super::Udp;
    #[cfg(unix)]
    use super::Unix;

    /// A socket, or the addresses to make sockets for.
    #[derive(Debug)]
    #[expect(unnameable_types, reason = "the types that seal a trait are not to be named")]
    pub enum Source {
        Udp(Udp),
        #[cfg(unix)]
        Unix(Unix),
        #[cfg(unix)]
        Inherited(super::Inherited),
        /// The path of another process, and the sources if there is none. For servers.
        #[cfg(unix)]
        TakeOver(std::path::PathBuf, Vec<Self>),
        #[cfg(feature = "testing")]
        Memory(crate::transport::memory::MemorySocket),
    }

    #[expect(unnameable_types, reason = "the types that seal a trait are not to be named")]
    pub trait Sources {
        #[doc(hidden)]
        fn sources(self) -> Vec<Source>;
    }

    #[expect(unnameable_types, reason = "the types that seal a trait are not to be named")]
    pub trait Destination {
        #[doc(hidden)]
        fn destination(self) -> Source;
    }
}

/// Implements both traits for types that stand for one source.
macro_rules! one_source {
    ($($type:ty => $source:expr;)+) => {
        $(impl Destination for $type {
            fn destination(self) -> Source {
                let into: fn(Self) -> Source = $source;
                into(self)
            }
        }

        impl Sources for $type {
            fn sources(self) -> Vec<Source> {
                vec![self.destination()]
            }
        })+
    };
}

one_source! {
    Udp => Source::Udp;
    std::net::UdpSocket => |socket| Source::Udp(socket.into());
    tokio::net::UdpSocket => |socket| Source::Udp(socket.into());
    Addr => |addr| of_addr(&addr);
    SocketAddr => addrs;
    SocketAddrV4 => addrs;
    SocketAddrV6 => addrs;
    (IpAddr, u16) => addrs;
    (Ipv4Addr, u16) => addrs;
    (Ipv6Addr, u16) => addrs;
    (&str, u16) => addrs;
    (String, u16) => addrs;
    String => addrs;
}

#[cfg(unix)]
one_source! {
    Unix => Source::Unix;
    std::os::unix::net::UnixDatagram => |socket| Source::Unix(socket.into());
    tokio::net::UnixDatagram => |socket| Source::Unix(socket.into());
}

/// A transport of any kind, for a program that chooses its transport at run time, for example by its
/// configuration.
///
/// # Examples
///
/// ```
/// use datagrammar::{AnyTransport, Server, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let only_here = true;
/// let transport = if only_here {
///     AnyTransport::new(Udp::new("127.0.0.1:0").ttl(1))
/// } else {
///     AnyTransport::new("[::]:9000")
/// };
/// let server = Server::bind(transport, Text, async |text: String| text).await?;
/// assert!(server.local_addr().ip().is_some_and(|ip| ip.is_loopback()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it is for `Server::bind` or `Client::connect`"]
pub struct AnyTransport(Source);

impl AnyTransport {
    /// Erases the type of an address or another transport.
    pub fn new(transport: impl Connect) -> Self {
        Self(transport.destination())
    }
}

one_source! {
    AnyTransport => |any| any.0;
}

impl From<Udp> for AnyTransport {
    fn from(udp: Udp) -> Self {
        Self::new(udp)
    }
}

impl From<std::net::UdpSocket> for AnyTransport {
    fn from(socket: std::net::UdpSocket) -> Self {
        Self::new(socket)
    }
}

impl From<tokio::net::UdpSocket> for AnyTransport {
    fn from(socket: tokio::net::UdpSocket) -> Self {
        Self::new(socket)
    }
}

#[cfg(unix)]
impl From<Unix> for AnyTransport {
    fn from(unix: Unix) -> Self {
        Self::new(unix)
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixDatagram> for AnyTransport {
    fn from(socket: std::os::unix::net::UnixDatagram) -> Self {
        Self::new(socket)
    }
}

#[cfg(unix)]
impl From<tokio::net::UnixDatagram> for AnyTransport {
    fn from(socket: tokio::net::UnixDatagram) -> Self {
        Self::new(socket)
    }
}

#[cfg(unix)]
impl From<Inherited> for AnyTransport {
    fn from(inherited: Inherited) -> Self {
        Self::new(inherited)
    }
}

#[cfg(feature = "testing")]
impl From<crate::transport::memory::MemorySocket> for AnyTransport {
    fn from(socket: crate::transport::memory::MemorySocket) -> Self {
        Self::new(socket)
    }
}

#[cfg(unix)]
one_source! {
    Inherited => Source::Inherited;
}

#[cfg(feature = "testing")]
one_source! {
    crate::transport::memory::MemorySocket => Source::Memory;
}

fn addrs<T: Targets>(addrs: T) -> Source {
    Source::Udp(Udp::new(addrs))
}

/// The address of a UDP or Unix socket.
fn of_addr(addr: &Addr) -> Source {
    #[cfg(unix)]
    if let Repr::Rare(Rare::Unix(name)) = &addr.0 {
        return Source::Unix(Unix::new(OsStr::from_bytes(name.bytes())));
    }
    addrs(addr)
}

impl<T: Targets + ?Sized> Destination for &T {
    fn destination(self) -> Source {
        self.as_addr().map_or_else(|| addrs(self), of_addr)
    }
}

impl<T: Targets + ?Sized> Sources for &T {
    fn sources(self) -> Vec<Source> {
        vec![self.destination()]
    }
}

impl<T: Targets> Destination for Vec<T> {
    fn destination(self) -> Source {
        addrs(self)
    }
}

impl<T: Targets, const N: usize> Destination for [T; N] {
    fn destination(self) -> Source {
        addrs(self)
    }
}

impl<T: Sources> Sources for Vec<T> {
    fn sources(self) -> Vec<Source> {
        if self.is_empty() {
            // An empty list of addresses must give an error, also as a part of a tuple.
            return vec![addrs::<[SocketAddr; 0]>([])];
        }
        self.into_iter().flat_map(Sources::sources).collect()
    }
}

impl<T: Sources, const N: usize> Sources for [T; N] {
    fn sources(self) -> Vec<Source> {
        Vec::from(self).sources()
    }
}

macro_rules! several_sources {
    ($(($($name:ident: $type:ident),+);)+) => {
        $(impl<$($type: Sources),+> Sources for ($($type,)+) {
            fn sources(self) -> Vec<Source> {
                let ($($name,)+) = self;
                let mut sources = Vec::new();
                $(sources.append(&mut $name.sources());)+
                sources
            }
        })+
    };
}

several_sources! {
    (a: A, b: B);
    (a: A, b: B, c: C);
    (a: A, b: B, c: C, d: D);
}
