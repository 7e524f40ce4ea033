//! The connected socket of a blocking client.

use std::{
    io,
    net::{Shutdown, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use socket2::SockRef;

use super::wait::{Interest, Waited, wait};
use crate::{
    Addr, SocketRef,
    client::{connect::Opened, error_queue::ErrorQueue},
    transport::{is_about_sending, max_len, send_despite_the_past, socket},
};

/// The connected socket of a blocking client, in non-blocking mode.
#[derive(Debug)]
pub(super) struct Link {
    /// Shared with each `SocketRef`.
    socket: Arc<UdpSocket>,
    pub(super) local_addr: Addr,
    pub(super) peer_addr: Addr,
    errors: ErrorQueue<()>,
    /// Whether somebody else can set options on the socket, and so may make the kernel merge datagrams.
    shared: AtomicBool,
}

/// A datagram of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// It has so many bytes.
    Whole(usize),
    /// It is longer than the buffer, or consists of several that the kernel has merged.
    TooLong,
}

impl Link {
    pub(super) fn new(opened: Opened) -> io::Result<Self> {
        match opened {
            Opened::Own(socket, _) => {
                let peer = socket.peer_addr()?;
                Self::connected(socket, peer.into(), false)
            }
            Opened::Callers(socket, options) => {
                let peer = socket::prepare_connected(&socket, &options)?;
                if socket::merges(&socket) {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, MERGES));
                }
                Self::connected(socket, peer.into(), true)
            }
            #[cfg(feature = "testing")]
            Opened::Memory(_) => Err(io::Error::new(io::ErrorKind::Unsupported, IN_MEMORY)),
        }
    }

    fn connected(socket: UdpSocket, peer_addr: Addr, shared: bool) -> io::Result<Self> {
        let local_addr = socket.local_addr()?.into();
        let (socket, errors) = (Arc::new(socket), ErrorQueue::new(()));
        Ok(Self { socket, local_addr, peer_addr, errors, shared: shared.into() })
    }

    /// A link over any socket, for tests.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn over(socket: UdpSocket) -> Self {
        let addr = || std::net::SocketAddr::from(([127, 0, 0, 1], 9)).into();
        let (socket, errors) = (Arc::new(socket), ErrorQueue::new(()));
        Self { socket, local_addr: addr(), peer_addr: addr(), errors, shared: false.into() }
    }

    pub(super) fn socket(&self) -> SocketRef<'static> {
        self.shared.store(true, Relaxed);
        SocketRef::blocking(Arc::clone(&self.socket))
    }

    /// The longest datagram that can be sent, in bytes.
    pub(super) const fn max_len(&self) -> usize {
        max_len(&self.peer_addr)
    }

    /// Receives a datagram of the peer that has arrived. It skips datagrams from other sources: these arrived
    /// before the socket was connected, and the kernel does not discard them. `buffer` is one byte longer
    /// than the longest datagram to receive.
    pub(super) fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            let (len, from) = match self.errors.receive(|()| self.socket.recv_from(buffer)) {
                Ok(received) => received,
                // Windows reports a datagram that did not fit as an error without its source.
                #[cfg(windows)]
                Err(error) if error.raw_os_error() == Some(10_040) => return Ok(Received::TooLong),
                // The ICMP error about an earlier datagram. Only the `send` of that datagram reports it.
                Err(error) if is_about_sending(&error) => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if Addr::canonical(from) != self.peer_addr {
                continue;
            }
            let merged = self.shared.load(Relaxed) && socket::merges(&self.socket);
            let whole = len < buffer.len() && !merged;
            return Ok(if whole { Received::Whole(len) } else { Received::TooLong });
        }
    }

    /// Sends one whole datagram, or nothing.
    pub(super) fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        let send = || send_despite_the_past(|| self.socket.send(datagram).map(drop));
        self.errors.send(send, || self.socket.take_error())
    }

    /// Waits until `try_recv` may succeed, or until `deadline`.
    pub(super) fn wait_readable(&self, deadline: Option<Instant>) -> io::Result<Waited> {
        wait(&self.socket, Interest::Readable, deadline)
    }

    /// Waits until `try_send` may succeed.
    pub(super) fn wait_writable(&self) -> io::Result<Waited> {
        wait(&self.socket, Interest::Writable, None)
    }

    /// Ends the waits of all threads.
    pub(super) fn shut_down(&self) {
        // On a socket that is not connected any more, it ends the waits and then fails.
        let _ = SockRef::from(&*self.socket).shutdown(Shutdown::Both);
    }
}

const MERGES: &str =
    "the socket has `UDP_GRO` on, but a blocking client receives one datagram at a time";
#[cfg(feature = "testing")]
const IN_MEMORY: &str =
    "a blocking client cannot use a network in memory: use `datagrammar::Client` or a real socket";
