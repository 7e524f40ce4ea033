//! A reference to a socket of the operating system, to set its options.

#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

#[cfg(unix)]
use tokio::io::unix::AsyncFd;
use tokio::net::UdpSocket;

/// A reference to a UDP or Unix socket of a server or a client, to set socket options for which
/// [`Udp`](crate::Udp) and `Unix` have no setter. [`Server::sockets`](crate::Server::sockets) and
/// [`Client::socket_ref`](crate::Client::socket_ref) return it.
///
/// It implements `AsFd` (`AsSocket` on Windows), so `socket2::SockRef::from(&socket)` and other crates can
/// set options. Do not receive from the socket, and do not change its non-blocking mode. If you shut it down
/// for reading, serving ends with an error, and each `recv` of a client returns an error.
///
/// On Linux you may set options that make the kernel add control messages to received datagrams, such as
/// receive timestamps. There is room for all of them except long headers of IPv6 (`IPV6_RECVHOPOPTS`,
/// `IPV6_RECVDSTOPTS` and `IPV6_RECVRTHDR`). If the control messages of a datagram do not fit, a server drops
/// the datagram and counts it as [`Truncated`](crate::DropReason::Truncated), and a client returns
/// `TooLarge`.
///
/// The same happens to all datagrams that are received while `UDP_GRO` is set on a socket with
/// [`batch_io(false)`](crate::Udp::batch_io). In that mode the system call does not report where each
/// datagram ends. With [`segmentation_offload(false)`](crate::Udp::segmentation_offload), only merged
/// datagrams whose total length is above the limit for one datagram are dropped.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, Server};
/// use socket2::SockRef;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::builder(Text, async |text: String| text).bind("127.0.0.1:0").await?;
/// for socket in server.sockets() {
///     SockRef::from(&socket).set_multicast_loop_v4(false)?;
///     assert!(!SockRef::from(&socket).multicast_loop_v4()?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SocketRef<'a>(Lent<'a>);

#[derive(Debug)]
enum Lent<'a> {
    Borrowed(&'a UdpSocket),
    /// Keeps the socket open, because its owner may close it meanwhile. Otherwise the descriptor could be
    /// reused for another file.
    Shared(Arc<UdpSocket>),
    #[cfg(unix)]
    BorrowedUnix(&'a AsyncFd<UnixDatagram>),
    #[cfg(unix)]
    SharedUnix(Arc<AsyncFd<UnixDatagram>>),
    /// The same for a blocking client.
    #[cfg(feature = "blocking")]
    Blocking(Arc<std::net::UdpSocket>),
    #[cfg(all(feature = "blocking", unix))]
    BlockingUnix(Arc<UnixDatagram>),
}

impl SocketRef<'_> {
    pub(crate) const fn shared(socket: Arc<UdpSocket>) -> Self {
        Self(Lent::Shared(socket))
    }

    #[cfg(unix)]
    pub(crate) const fn shared_unix(socket: Arc<AsyncFd<UnixDatagram>>) -> Self {
        Self(Lent::SharedUnix(socket))
    }

    #[cfg(feature = "blocking")]
    pub(crate) const fn blocking(socket: Arc<std::net::UdpSocket>) -> Self {
        Self(Lent::Blocking(socket))
    }

    #[cfg(all(feature = "blocking", unix))]
    pub(crate) const fn blocking_unix(socket: Arc<UnixDatagram>) -> Self {
        Self(Lent::BlockingUnix(socket))
    }
}

impl<'a> From<&'a UdpSocket> for SocketRef<'a> {
    fn from(socket: &'a UdpSocket) -> Self {
        Self(Lent::Borrowed(socket))
    }
}

#[cfg(unix)]
impl<'a> SocketRef<'a> {
    pub(crate) const fn unix(socket: &'a AsyncFd<UnixDatagram>) -> Self {
        Self(Lent::BorrowedUnix(socket))
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for SocketRef<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match &self.0 {
            Lent::Borrowed(socket) => socket.as_fd(),
            Lent::Shared(socket) => socket.as_fd(),
            Lent::BorrowedUnix(socket) => socket.as_fd(),
            Lent::SharedUnix(socket) => socket.as_fd(),
            #[cfg(feature = "blocking")]
            Lent::Blocking(socket) => socket.as_fd(),
            #[cfg(feature = "blocking")]
            Lent::BlockingUnix(socket) => socket.as_fd(),
        }
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for SocketRef<'_> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        match &self.0 {
            Lent::Borrowed(socket) => socket.as_socket(),
            Lent::Shared(socket) => socket.as_socket(),
            #[cfg(feature = "blocking")]
            Lent::Blocking(socket) => socket.as_socket(),
        }
    }
}
