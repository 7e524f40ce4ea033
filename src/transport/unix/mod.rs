//! Unix datagrams: a socket that sends each datagram at once.

pub(crate) mod bind;
pub(crate) mod connect;
mod names;
mod path;
mod recv;

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixDatagram},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use names::target;
pub(crate) use path::OwnPath;
#[cfg(feature = "blocking")]
pub(crate) use recv::Inbox;
use socket2::{MsgHdr, SockAddr, SockRef};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};

use super::{
    IoMode, RecvHalf, Route, SocketRef, Transport, UnnamedPeers, passing::Passing,
    size::LONGEST_UNIX,
};
use crate::Addr;

/// A bound or connected Unix datagram socket.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    pub(crate) socket: Arc<AsyncFd<UnixDatagram>>,
    local_addr: Addr,
    /// The peer of a connected socket, to connect again after the peer has been restarted.
    peer: Option<SockAddr>,
    options: Options,
}

/// How a Unix socket is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) unnamed_peers: UnnamedPeers,
    pub(crate) fds: bool,
    /// How many bytes of ancillary data a datagram may have; 0 if none is received.
    pub(crate) control: usize,
    /// Whether one system call may receive many datagrams.
    pub(crate) batch_io: bool,
}

/// A send must not wait, and a peer that is gone must not cause a signal.
#[cfg(not(target_vendor = "apple"))]
const FLAGS: libc::c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
#[cfg(target_vendor = "apple")]
const FLAGS: libc::c_int = libc::MSG_DONTWAIT;

impl UnixSocket {
    /// Takes over a bound socket, which must be in non-blocking mode. `peer` is the address that it is
    /// connected to.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    pub(crate) fn new(
        socket: UnixDatagram,
        peer: Option<SockAddr>,
        options: Options,
    ) -> io::Result<Self> {
        let local_addr = Addr::from(socket.local_addr()?);
        // Linux reports a socket as writable each time that a peer has read a datagram. A server does not wait for
        // that, so its runtime must not be woken.
        let interest = match peer {
            None => Interest::READABLE,
            Some(_) => Interest::READABLE | Interest::WRITABLE,
        };
        #[allow(deprecated, reason = "tokio 1.50 has no other; it is sound for a socket of std")]
        let socket = AsyncFd::with_interest(socket, interest)?;
        let socket = Arc::new(socket);
        Ok(Self { socket, local_addr, peer, options })
    }

    /// Completes when there may be something to receive.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(drop)
    }

    /// Completes when a connected socket may have room to send.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        /// Other systems do not report the queue of the peer, so the caller tries again after a pause.
        const PAUSE: Duration = Duration::from_millis(1);

        if cfg!(target_os = "linux") {
            return self.socket.writable().await.map(drop);
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// Sends a datagram. It does not ask tokio whether the socket is writable: the queue of one peer may be
    /// full while others have room.
    fn send(&self, to: &Route, datagram: &[u8], control: &[u8]) -> io::Result<()> {
        match &self.peer {
            None => send(&*self.socket, Some(&target(&to.peer)?), datagram, control),
            // tokio must learn that the peer has no room, because the caller waits for room.
            Some(peer) => self
                .socket
                .try_io(Interest::WRITABLE, |socket| send_to_peer(socket, peer, datagram, control)),
        }
    }
}

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

fn send(
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

impl Transport for UnixSocket {
    fn local_addr(&self) -> &Addr {
        &self.local_addr
    }

    fn socket(&self) -> Option<SocketRef<'_>> {
        Some(SocketRef::unix(&self.socket))
    }

    fn longest(&self) -> usize {
        LONGEST_UNIX
    }

    fn max_len(&self) -> usize {
        max_len(&*self.socket)
    }

    fn is_too_large(&self, error: &io::Error) -> bool {
        error.raw_os_error() == Some(libc::EMSGSIZE)
    }

    fn sends_at_once(&self) -> bool {
        true
    }

    fn unnamed_peers(&self) -> UnnamedPeers {
        self.options.unnamed_peers
    }

    fn passes_fds(&self) -> bool {
        self.options.fds
    }

    fn io_mode(&self) -> IoMode {
        let Options { batch_io, fds, .. } = self.options;
        if cfg!(all(target_os = "linux", not(datagrammar_portable))) && batch_io && !fds {
            IoMode::Batched
        } else {
            IoMode::Single
        }
    }

    fn recv_half(&self, first: usize) -> Box<dyn RecvHalf> {
        let socket = Arc::clone(&self.socket);
        // With descriptors, one call must not open those of many datagrams.
        #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
        if self.options.batch_io && !self.options.fds {
            return Box::new(recv::Batched::new(socket, first, self.options.control));
        }
        #[cfg(any(not(target_os = "linux"), datagrammar_portable))]
        let _ = first;
        Box::new(recv::Single::new(socket, self.options.control))
    }

    /// The kernel drops no datagram of a Unix socket: its sender waits.
    fn kernel_drops(&self) -> Option<u32> {
        Some(0)
    }

    fn try_send(&self, to: &Route, datagram: &[u8]) -> io::Result<()> {
        self.send(to, datagram, &[])
    }

    fn can_pass(&self, passing: Passing<'_>) -> bool {
        match passing {
            Passing::Fds(_) => self.options.fds,
            Passing::Credentials(_) => cfg!(any(target_os = "android", target_os = "linux")),
        }
    }

    fn try_send_passing(&self, to: &Route, bytes: &[u8], passing: Passing<'_>) -> io::Result<()> {
        self.send(to, bytes, &passing.control())
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A server does not wait for room in this way.
        self.socket.poll_write_ready(cx).map_ok(drop)
    }
}
