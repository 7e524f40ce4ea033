//! Sends single Unix datagrams.

use std::{io, os::fd::AsFd};

use socket2::{MsgHdr, SockAddr, SockRef};

use crate::transport::size::LONGEST_UNIX;

/// A send must not wait, and a peer that is gone must not cause a signal.
#[cfg(not(target_vendor = "apple"))]
const FLAGS: libc::c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
#[cfg(target_vendor = "apple")]
const FLAGS: libc::c_int = libc::MSG_DONTWAIT;

/// Sends a datagram on a socket that is connected to `peer`. Connects again if the peer has closed its socket:
/// it may have bound a new one since.
pub(crate) fn send_to_peer(
    socket: &impl AsFd,
    peer: &SockAddr,
    datagram: &[u8],
    control: &[u8],
) -> io::Result<()> {
    match send(socket, None, datagram, control) {
        Err(error) if lost_peer(&error) => {
            SockRef::from(socket).connect(peer)?;
            send(socket, None, datagram, control)
        }
        sent => sent,
    }
}

pub(super) fn send(
    socket: &impl AsFd,
    to: Option<&SockAddr>,
    datagram: &[u8],
    control: &[u8],
) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let sent = match to {
        Some(to) if control.is_empty() => socket.send_to_with_flags(datagram, to, FLAGS),
        None if control.is_empty() => socket.send_with_flags(datagram, FLAGS),
        to => {
            let pieces = [io::IoSlice::new(datagram)];
            let message = MsgHdr::new().with_buffers(&pieces).with_control(control);
            match to {
                Some(to) => socket.sendmsg(&message.with_addr(to), FLAGS),
                None => socket.sendmsg(&message, FLAGS),
            }
        }
    };
    sent.map(drop).map_err(|error| match error.raw_os_error() {
        // Other systems report the full queue of a peer in this way.
        Some(libc::ENOBUFS) if !cfg!(any(target_os = "android", target_os = "linux")) => {
            io::ErrorKind::WouldBlock.into()
        }
        _ => error,
    })
}

/// The length of the longest datagram that can be sent on `socket`, in bytes.
pub(crate) fn max_len(socket: &impl AsFd) -> usize {
    /// What Linux keeps of the send buffer for itself.
    const KEPT: usize = 32;

    let buffer = SockRef::from(socket).send_buffer_size();
    buffer.map_or(LONGEST_UNIX, |bytes| bytes.saturating_sub(KEPT).min(LONGEST_UNIX))
}

/// Whether the peer of a connected socket is gone.
fn lost_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
    ) || error.raw_os_error() == Some(libc::EDESTADDRREQ)
}
