//! How datagrams are received and sent, for diagnostics.

use std::{fmt, io};

use socket2::SockRef;

use super::SocketRef;

/// Whether one system call receives or sends one datagram or many; returned by
/// [`SocketDiagnostics::io_mode`](crate::SocketDiagnostics::io_mode).
///
/// # Examples
///
/// ```
/// use datagrammar::{IoMode, Server, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let udp = Udp::new("127.0.0.1:0").batch_io(false);
/// let server = Server::bind(udp, Text, async |text: String| text).await?;
///
/// let mode = server.handle().diagnostics().sockets()[0].io_mode();
/// assert_eq!(mode, IoMode::Single);
/// assert_eq!(mode.to_string(), "one datagram per system call");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoMode {
    /// Many datagrams with each system call: `recvmmsg` and `sendmmsg` of Linux. Unix sockets only receive in
    /// this way, and send each datagram with a call of its own.
    Batched,
    /// One datagram with each system call: with [`batch_io(false)`](crate::Udp::batch_io), on Unix sockets with
    /// `fd_passing(true)`, and on all systems except Linux.
    Single,
    /// No system calls: a network in memory.
    Memory,
}

impl fmt::Display for IoMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batched => "many datagrams per system call",
            Self::Single => "one datagram per system call",
            Self::Memory => "a network in memory",
        })
    }
}

/// Whether the kernel splits (GSO) or merges (GRO) datagrams of one size, or why it does not; returned by
/// [`SocketDiagnostics::send_offload`](crate::SocketDiagnostics::send_offload) and
/// [`SocketDiagnostics::recv_offload`](crate::SocketDiagnostics::recv_offload).
///
/// # Examples
///
/// ```
/// use datagrammar::{Offload, Server, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let udp = Udp::new("127.0.0.1:0").segmentation_offload(false);
/// let server = Server::bind(udp, Text, async |text: String| text).await?;
///
/// let diagnostics = server.handle().diagnostics();
/// # #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
/// assert_eq!(diagnostics.sockets()[0].send_offload(), Offload::Disabled);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Offload {
    /// The kernel does it.
    On,
    /// The kernel does it for datagrams of up to this many bytes. It has refused longer ones, usually because
    /// they exceed the MTU of the path.
    UpTo(usize),
    /// [`segmentation_offload(false)`](crate::Udp::segmentation_offload) is set.
    Disabled,
    /// The server has a [kernel filter](crate::ServerBuilder::kernel_filter), which must see each datagram.
    Filtered,
    /// The server [trusts proxies](crate::ServerBuilder::trust_proxy) and has several workers, which share the clients: the
    /// header of each datagram decides.
    Proxied,
    /// The socket is your own, so its GRO setting was not changed.
    CallerSocket,
    /// The kernel does not support it, or the network interface does not compute the checksums.
    Refused,
    /// The [`IoMode`] does not support it.
    Unavailable,
}

impl fmt::Display for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::UpTo(bytes) => {
                return write!(f, "on up to {bytes} bytes, the kernel refused more");
            }
            Self::Disabled => "off, as requested",
            Self::Filtered => "off, because of the kernel filter",
            Self::Proxied => "off, because workers share the clients of proxies",
            Self::CallerSocket => "unchanged on the caller's own socket",
            Self::Refused => "off, the kernel refused it",
            Self::Unavailable => "not available",
        })
    }
}

/// The sizes of the receive buffer and the send buffer of `socket`, in the bytes that a caller requests.
pub(crate) fn buffers(socket: &SocketRef<'_>) -> io::Result<[usize; 2]> {
    /// Linux reports twice the granted size, because it adds as much for its own bookkeeping.
    const TIMES: usize = if cfg!(any(target_os = "android", target_os = "linux")) { 2 } else { 1 };

    let socket = SockRef::from(socket);
    Ok([socket.recv_buffer_size()? / TIMES, socket.send_buffer_size()? / TIMES])
}
