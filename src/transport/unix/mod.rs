//! Unix datagrams: a socket that sends each datagram at once.

pub(crate) mod bind;
pub(crate) mod connect;
mod names;
mod path;
mod recv;
mod send;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod together;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod unread;

use std::{
    io,
    os::unix::net::UnixDatagram,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use std::{os::fd::AsFd, sync::Mutex};

#[cfg(feature = "admin")]
pub(crate) use bind::listen;
use names::target;
pub(crate) use path::OwnPath;
#[cfg(feature = "blocking")]
pub(crate) use recv::Inbox;
pub(crate) use send::{max_len, send_to_peer};
use socket2::SockAddr;
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use super::kernel::{mmsg::Sender, unix::NAME};
use super::{
    IoMode, RecvHalf, Route, SendBatch, SocketRef, Transport, UnnamedPeers, passing::Passing,
    send_singly, size::LONGEST_UNIX,
};
use crate::Addr;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use unread::Unread;

/// A bound or connected Unix datagram socket.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    pub(crate) socket: Arc<AsyncFd<UnixDatagram>>,
    local_addr: Addr,
    /// The peer of a connected socket, to connect again after the peer has been restarted.
    peer: Option<SockAddr>,
    options: Options,
    /// For batches.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    sender: Mutex<Sender<NAME>>,
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    unread: Unread,
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

/// The default options, with this one.
pub(crate) fn options_of(unnamed_peers: UnnamedPeers) -> Options {
    Options { unnamed_peers, batch_io: true, ..Options::default() }
}

/// Whether a connected socket becomes writable when its peer has read a datagram. Where it does not, a send is
/// tried again after a pause.
const REPORTS_ROOM: bool = cfg!(any(target_os = "android", target_os = "linux"));

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
        Ok(Self {
            socket,
            local_addr,
            peer,
            options,
            #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
            sender: Mutex::default(),
            #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
            unread: Unread::default(),
        })
    }

    /// Completes when there may be something to receive.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(drop)
    }

    /// Completes when a connected socket may have room to send.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        const PAUSE: Duration = Duration::from_millis(1);

        if REPORTS_ROOM {
            return self.socket.writable().await.map(drop);
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// Sends a datagram. It does not ask tokio whether the socket is writable: the queue of one peer may be
    /// full while others have room.
    fn send(&self, to: &Route, datagram: &[u8], control: &[u8]) -> io::Result<()> {
        match &self.peer {
            None => {
                #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
                if !self.unread.allows(self.socket.as_fd(), &to.peer, datagram.len()) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                send::send(&*self.socket, Some(&target(&to.peer)?), datagram, control)
            }
            // tokio must learn that the peer has no room, because the caller waits for room.
            Some(peer) if REPORTS_ROOM => self
                .socket
                .try_io(Interest::WRITABLE, |socket| send_to_peer(socket, peer, datagram, control)),
            Some(peer) => send_to_peer(&*self.socket, peer, datagram, control),
        }
    }
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

    fn recv_credentials(&self) -> bool {
        self.options.control > 0
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

    fn send_batch(&self, batch: &mut SendBatch, refused: &mut dyn FnMut(&Addr, io::Error)) -> bool {
        #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
        if self.options.batch_io && batch.len() > 1 {
            return self.send_together(batch, refused);
        }
        send_singly(|to, datagram| self.try_send(to, datagram), batch, refused)
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A server does not wait for room in this way.
        self.socket.poll_write_ready(cx).map_ok(drop)
    }
}
