//! Sockets that a parent process has passed, for servers and clients.

use std::os::fd::OwnedFd;

use crate::transport::inherited::environment;

/// Sockets that the parent process has passed to this one, such as systemd with a socket unit. Pass it to
/// [`Server::bind`](crate::Server::bind) instead of an address.
///
/// A service manager that binds the socket itself can start the service when the first datagram arrives.
/// While it restarts the service, datagrams wait in the socket. The service needs no privilege for its port.
/// [`named`](Self::named), [`nth`](Self::nth) and [`all`](Self::all) find sockets in the way of
/// `sd_listen_fds(3)`: by the environment variables `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`. This
/// does not change the environment. `Inherited::from` takes a descriptor that you got in another way.
///
/// The sockets keep their options, as your own sockets do. They become non-blocking, and programs that this
/// one starts do not inherit them. The datagrams that have arrived before are served. The default receive
/// buffer of most systems holds a few hundred datagrams, so set `ReceiveBuffer=` in the socket unit.
///
/// Each inherited descriptor can be bound once in the life of a process. If `bind` or `connect` fails, the
/// descriptors stay open, and can be bound again. A client needs exactly one socket, which is connected.
///
/// # Errors
///
/// `bind` fails with [`BindError::Inherited`](crate::BindError::Inherited), and `connect` with
/// [`ConnectError::Inherited`](crate::ConnectError::Inherited), if there is no such socket, or if it is not a
/// datagram socket of IPv4, IPv6 or Unix. This includes a descriptor with close-on-exec set: a program cannot
/// inherit such a descriptor, so the program has opened it itself, or another library has already taken it.
///
/// # Examples
///
/// A service for `datagrammar-echo.socket` with `FileDescriptorName=echo`. Without systemd it binds an
/// address:
///
/// ```
/// use datagrammar::{AnyTransport, Inherited, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let transport = if Inherited::is_available() {
///     AnyTransport::new(Inherited::named("echo"))
/// } else {
///     AnyTransport::new("127.0.0.1:0")
/// };
/// let server = Server::bind(transport, Text, async |text: String| text).await?;
/// assert!(server.local_addr().port().is_some());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "socket activation")]
#[doc(alias = "systemd")]
#[doc(alias = "sd_listen_fds")]
#[derive(Debug)]
#[must_use = "it is for `Server::bind` or `Client::connect`"]
pub struct Inherited(pub(crate) Which);

/// Which of the sockets are meant.
#[derive(Debug)]
pub(crate) enum Which {
    All,
    Named(String),
    Nth(usize),
    /// A descriptor that the caller got in another way.
    Fd(OwnedFd),
}

impl Inherited {
    /// Means each socket with this name in `LISTEN_FDNAMES`. In a socket unit of systemd,
    /// `FileDescriptorName=` sets the name; without it, the name is that of the unit, such as `echo.socket`.
    /// If the parent passes no names, each socket has the name `unknown`.
    ///
    /// All sockets of one unit have the same name. If a unit has `ListenStream=` too, as for DNS, take its
    /// datagram socket by position, or make it a unit of its own.
    pub fn named(name: impl Into<String>) -> Self {
        Self(Which::Named(name.into()))
    }

    /// Means the socket at this position, from 0. The first one is descriptor 3. systemd passes the sockets
    /// in the order of the socket unit.
    pub const fn nth(position: usize) -> Self {
        Self(Which::Nth(position))
    }

    /// Means all passed sockets, in their order.
    pub const fn all() -> Self {
        Self(Which::All)
    }

    /// Returns whether a parent process has passed sockets to this process: `LISTEN_FDS` is set, and
    /// `LISTEN_PID` is this process. It does not check the sockets, and returns true for invalid numbers too,
    /// so that `bind` reports these.
    #[must_use]
    pub fn is_available() -> bool {
        environment::is_available()
    }
}

impl From<OwnedFd> for Inherited {
    /// Takes a descriptor that you got in another way: from a parent process that names it on the command
    /// line, or over a Unix socket. If `bind` fails, it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Inherited, Server, Text};
    /// use std::{net::UdpSocket, os::fd::OwnedFd};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let fd = OwnedFd::from(UdpSocket::bind("127.0.0.1:0")?);
    /// let server = Server::bind(Inherited::from(fd), Text, async |text: String| text).await?;
    /// assert!(server.local_addr().ip().is_some_and(|ip| ip.is_loopback()));
    /// # Ok(())
    /// # }
    /// ```
    fn from(fd: OwnedFd) -> Self {
        Self(Which::Fd(fd))
    }
}
