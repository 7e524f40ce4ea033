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

#[cfg(unix)]
use super::unix::UnixLink;
use super::wait::{Interest, Waited, wait};
use crate::{
    Addr, SocketRef,
    client::{connect::Opened, error_queue::ErrorQueue},
    transport::{LONGEST, Passed, is_about_sending, max_len, send_despite_the_past, socket},
};

/// The connected socket of a blocking client, in non-blocking mode.
#[derive(Debug)]
pub(super) struct Link {
    socket: Connected,
    pub(super) local_addr: Addr,
    pub(super) peer_addr: Addr,
}

/// A socket, which is shared with each `SocketRef`.
#[derive(Debug)]
enum Connected {
    Udp {
        socket: Arc<UdpSocket>,
        errors: ErrorQueue<()>,
        /// Whether somebody else can set options on the socket, and so may make the kernel merge datagrams.
        shared: AtomicBool,
    },
    #[cfg(unix)]
    Unix(Box<UnixLink>),
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
            Opened::Own(socket, ..) => {
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
            #[cfg(unix)]
            Opened::Unix(connected, options) => {
                let local_addr = connected.socket.local_addr()?.into();
                let peer_addr = connected.socket.peer_addr()?.into();
                let socket = Connected::Unix(Box::new(UnixLink::new(connected, options)));
                Ok(Self { socket, local_addr, peer_addr })
            }
            #[cfg(feature = "testing")]
            Opened::Memory(_) => Err(io::Error::new(io::ErrorKind::Unsupported, IN_MEMORY)),
        }
    }

    fn connected(socket: UdpSocket, peer_addr: Addr, shared: bool) -> io::Result<Self> {
        let local_addr = socket.local_addr()?.into();
        Ok(Self { socket: Connected::udp(socket, shared), local_addr, peer_addr })
    }

    /// A link over any socket, for tests.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn over(socket: UdpSocket) -> Self {
        let addr = || std::net::SocketAddr::from(([127, 0, 0, 1], 9)).into();
        let socket = Connected::udp(socket, false);
        Self { socket, local_addr: addr(), peer_addr: addr() }
    }

    pub(super) fn socket(&self) -> SocketRef<'static> {
        match &self.socket {
            Connected::Udp { socket, shared, .. } => {
                shared.store(true, Relaxed);
                SocketRef::blocking(Arc::clone(socket))
            }
            #[cfg(unix)]
            Connected::Unix(unix) => unix.socket_ref(),
        }
    }

    /// The longest datagram that can be sent, in bytes.
    pub(super) fn max_len(&self) -> usize {
        match &self.socket {
            Connected::Udp { .. } => max_len(&self.peer_addr),
            #[cfg(unix)]
            Connected::Unix(unix) => unix.max_len(),
        }
    }

    /// The longest datagram that can arrive, in bytes.
    pub(super) const fn longest(&self) -> usize {
        match &self.socket {
            Connected::Udp { .. } => LONGEST,
            #[cfg(unix)]
            Connected::Unix(_) => UnixLink::LONGEST,
        }
    }

    /// The Unix socket, if this is one.
    #[cfg(unix)]
    pub(super) const fn unix(&self) -> Option<&UnixLink> {
        match &self.socket {
            Connected::Udp { .. } => None,
            Connected::Unix(unix) => Some(unix),
        }
    }

    /// Receives a datagram of the peer that has arrived. It skips datagrams from other sources: these arrived
    /// before the socket was connected, and the kernel does not discard them. `buffer` is one byte longer
    /// than the longest datagram to receive. What came with the datagram is in `passed` afterwards.
    pub(super) fn try_recv(
        &self,
        buffer: &mut [u8],
        passed: &mut Option<Passed>,
    ) -> io::Result<Received> {
        loop {
            let received = match &self.socket {
                Connected::Udp { socket, errors, .. } => {
                    let received = errors.receive(|()| socket.recv_from(buffer));
                    received.map(|(len, from)| (Addr::canonical(from), len))
                }
                #[cfg(unix)]
                Connected::Unix(unix) => unix.recv(buffer).map(|(from, len, came)| {
                    *passed = came;
                    (from, len)
                }),
            };
            #[cfg(not(unix))]
            let _ = &passed;
            let (from, len) = match received {
                Ok(received) => received,
                // Windows reports a datagram that did not fit as an error without its source.
                #[cfg(windows)]
                Err(error) if error.raw_os_error() == Some(10_040) => return Ok(Received::TooLong),
                // The ICMP error about an earlier datagram. Only the `send` of that datagram reports it.
                Err(error) if is_about_sending(&error) => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if from != self.peer_addr {
                continue;
            }
            let whole = len < buffer.len() && !self.merges();
            return Ok(if whole { Received::Whole(len) } else { Received::TooLong });
        }
    }

    /// Looks at the next datagram that has arrived, and leaves it there. Returns how much of it is in `buffer`, if it is one
    /// of the peer. The kernel may cut it off.
    pub(super) fn peek(&self, buffer: &mut [u8]) -> Option<usize> {
        match &self.socket {
            Connected::Udp { socket, errors, .. } => {
                let peeked = errors.receive(|()| socket.peek_from(buffer));
                let (len, from) = peeked.ok()?;
                (Addr::canonical(from) == self.peer_addr).then_some(len)
            }
            // Nothing is looked for there.
            #[cfg(unix)]
            Connected::Unix(_) => None,
        }
    }

    /// Whether the kernel may have merged the last datagram with others.
    fn merges(&self) -> bool {
        match &self.socket {
            Connected::Udp { socket, shared, .. } => shared.load(Relaxed) && socket::merges(socket),
            #[cfg(unix)]
            Connected::Unix(_) => false,
        }
    }

    /// Sends one whole datagram, or nothing.
    pub(super) fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        match &self.socket {
            Connected::Udp { socket, errors, .. } => {
                let send = || send_despite_the_past(|| socket.send(datagram).map(drop));
                errors.send(send, || socket.take_error())
            }
            #[cfg(unix)]
            Connected::Unix(unix) => unix.send(datagram, &[]),
        }
    }

    /// Waits until `try_recv` may succeed, or until `deadline`.
    pub(super) fn wait_readable(&self, deadline: Option<Instant>) -> io::Result<Waited> {
        match &self.socket {
            Connected::Udp { socket, .. } => wait(&**socket, Interest::Readable, deadline),
            #[cfg(unix)]
            Connected::Unix(unix) => unix.wait(Interest::Readable, deadline),
        }
    }

    /// Waits until `try_send` may succeed, or until `deadline`.
    pub(super) fn wait_writable(&self, deadline: Option<Instant>) -> io::Result<Waited> {
        match &self.socket {
            Connected::Udp { socket, .. } => wait(&**socket, Interest::Writable, deadline),
            #[cfg(unix)]
            Connected::Unix(unix) => unix.wait(Interest::Writable, deadline),
        }
    }

    /// Ends the waits of all threads.
    pub(super) fn shut_down(&self) {
        // On a socket that is not connected any more, it ends the waits and then fails.
        let _ = match &self.socket {
            Connected::Udp { socket, .. } => SockRef::from(&**socket).shutdown(Shutdown::Both),
            #[cfg(unix)]
            Connected::Unix(unix) => unix.shut_down(),
        };
    }
}

impl Connected {
    fn udp(socket: UdpSocket, shared: bool) -> Self {
        Self::Udp { socket: Arc::new(socket), errors: ErrorQueue::new(()), shared: shared.into() }
    }
}

const MERGES: &str =
    "the socket has `UDP_GRO` on, but a blocking client receives one datagram at a time";
#[cfg(feature = "testing")]
const IN_MEMORY: &str =
    "a blocking client cannot use a network in memory: use `datagrammar::Client` or a real socket";
