//! How datagrams get in and out, for diagnostics.

use std::{fmt, io};

use socket2::SockRef;

use super::SocketRef;

/// How datagrams get from the network into the program and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoMode {
    /// Many of them with each system call: `recvmmsg` and `sendmmsg` of Linux.
    Batched,
    /// One with each system call, as on every other system.
    Single,
    /// Over a network in memory.
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

/// Whether the kernel segments and merges datagrams (GSO and GRO), or why it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offload {
    /// It does.
    On,
    /// It does for datagrams of up to this many bytes: the kernel has refused a longer one once, mostly
    /// because the path does not carry it in one piece.
    UpTo(usize),
    /// [`segmentation_offload(false)`](crate::Udp::segmentation_offload) is set.
    Disabled,
    /// It is the caller's socket, so its GRO setting was left alone.
    CallerSocket,
    /// The kernel does not support it, or the network interface does not compute the checksums.
    Refused,
    /// This [method](IoMode) has none.
    Unavailable,
}

impl fmt::Display for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::UpTo(bytes) => {
                return write!(f, "on up to {bytes} bytes, the kernel refused more");
            }
            Self::Disabled => "off, as asked",
            Self::CallerSocket => "off, an option of the caller's own socket",
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
