//! A socket of the operating system, lent for its options.

use std::sync::Arc;

use tokio::net::UdpSocket;

/// A socket of the operating system, lent by the server or client that owns it: for options that have no
/// setter here.
///
/// It lends its descriptor (`AsFd`, on Windows `AsSocket`), so that `socket2::SockRef::from(&socket)`
/// and other crates can set what they know of. Leave it in non-blocking mode, and leave what it receives
/// to its owner. Once it is shut down for reading, serving ends with an error, and so does each `recv` of a
/// client.
///
/// On Linux you may set options that make the kernel add control messages to datagrams, such as receive
/// timestamps. All of them fit but long headers of IPv6 (`IPV6_RECVHOPOPTS`, `IPV6_RECVDSTOPTS` and
/// `IPV6_RECVRTHDR`). A datagram whose control messages do not fit is dropped and counted as
/// [`Truncated`](crate::DropReason::Truncated); a client returns `TooLarge`.
///
/// The same happens to all datagrams that the kernel has merged if you set `UDP_GRO` on a socket with
/// [`batch_io(false)`](crate::Udp::batch_io), which cannot see where each one ends. With
/// [`segmentation_offload(false)`](crate::Udp::segmentation_offload) it happens to merged datagrams that are
/// longer together than one may be.
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
    /// Of an owner that may give it up meanwhile: its descriptor must not become another's.
    Shared(Arc<UdpSocket>),
}

impl SocketRef<'_> {
    pub(crate) const fn shared(socket: Arc<UdpSocket>) -> Self {
        Self(Lent::Shared(socket))
    }

    fn socket(&self) -> &UdpSocket {
        match &self.0 {
            Lent::Borrowed(socket) => socket,
            Lent::Shared(socket) => socket,
        }
    }
}

impl<'a> From<&'a UdpSocket> for SocketRef<'a> {
    fn from(socket: &'a UdpSocket) -> Self {
        Self(Lent::Borrowed(socket))
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for SocketRef<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for SocketRef<'_> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket().as_socket()
    }
}
