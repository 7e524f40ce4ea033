//! The connected socket of a client.

#[cfg(unix)]
use std::sync::Mutex;
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use super::{connect::Opened, error_queue::ErrorQueue};
#[cfg(unix)]
use crate::lock::locked;
#[cfg(unix)]
use crate::transport::{
    Passing,
    unix::{Options as UnixOptions, OwnPath, UnixSocket, connect::Connected as Connection},
};
use crate::{
    Addr, SocketRef,
    stats::{ClientCounters, add},
    transport::{
        RecvBatch, RecvHalf, Route, SendBatch, Transport, max_len, options::Options, socket,
    },
};

/// The connected socket of a client.
#[derive(Debug)]
pub(crate) struct Link {
    /// The path of the socket. Dropped first, while the socket is open.
    #[cfg(unix)]
    own_path: Mutex<Option<OwnPath>>,
    socket: Connected,
    pub(crate) local_addr: Addr,
    /// The route to the peer.
    pub(crate) route: Route,
    errors: ErrorQueue<Box<dyn RecvHalf>>,
    /// What another socket of the same kind is made from, if its port does not matter.
    again: Option<(Option<SocketAddr>, Options)>,
}

#[derive(Debug)]
enum Connected {
    Udp {
        /// Any number of tasks may wait for it. It is shared with each `SocketRef`.
        socket: Arc<tokio::net::UdpSocket>,
        transport: Box<dyn Transport>,
    },
    #[cfg(unix)]
    Unix(Box<UnixSocket>),
    #[cfg(feature = "testing")]
    Memory(crate::transport::memory::MemorySocket),
}

impl Connected {
    fn transport(&self) -> &dyn Transport {
        match self {
            Self::Udp { transport, .. } => &**transport,
            #[cfg(unix)]
            Self::Unix(socket) => &**socket,
            #[cfg(feature = "testing")]
            Self::Memory(socket) => socket,
        }
    }
}

impl Link {
    pub(crate) fn new(opened: Opened) -> io::Result<Self> {
        match opened {
            Opened::Own(socket, options, local) => Self::own(socket, options, local),
            Opened::Callers(socket, options) => Self::adopt(socket, &options),
            #[cfg(unix)]
            Opened::Unix(connected, options) => Self::unix(connected, options),
            #[cfg(feature = "testing")]
            Opened::Memory(socket) => Self::memory(socket),
        }
    }

    /// Takes a connected socket that this crate has made.
    fn own(socket: UdpSocket, options: Options, local: Option<SocketAddr>) -> io::Result<Self> {
        let (local_addr, peer) = (socket.local_addr()?, socket.peer_addr()?);
        let (socket, transport) = socket::connected(socket, &options, true)?;
        let socket = Connected::Udp { socket, transport };
        let any_port = local.is_none_or(|local| local.port() == 0);
        Ok(Self {
            again: any_port.then_some((local, options)),
            ..Self::connected(socket, local_addr.into(), peer.into())
        })
    }

    /// Makes a socket with another port, to the same peer. Returns `None` if the socket or the port is of the
    /// caller's choice, or if the system has none.
    pub(crate) fn reopen(&self) -> Option<Self> {
        let (local, options) = self.again.clone()?;
        let peer = self.route.peer.socket_addr()?;
        let socket = socket::connect(local, peer, &options).ok()?;
        Self::own(socket, options, local).ok()
    }

    /// Takes a connected socket of the caller.
    fn adopt(socket: UdpSocket, options: &Options) -> io::Result<Self> {
        let (peer, socket, transport) = socket::adopt_connected(socket, options)?;
        let local_addr = socket.local_addr()?;
        let socket = Connected::Udp { socket, transport };
        Ok(Self::connected(socket, local_addr.into(), peer.into()))
    }

    /// Takes a connected Unix socket.
    #[cfg(unix)]
    fn unix(connected: Connection, options: UnixOptions) -> io::Result<Self> {
        let Connection { socket, peer, own_path } = connected;
        let peer_addr = Addr::from(socket.peer_addr()?);
        let socket = UnixSocket::new(socket, Some(peer), options)?;
        let local_addr = socket.local_addr().clone();
        Ok(Self {
            own_path: Mutex::new(own_path),
            ..Self::connected(Connected::Unix(Box::new(socket)), local_addr, peer_addr)
        })
    }

    #[cfg(feature = "testing")]
    fn memory(socket: crate::transport::memory::MemorySocket) -> io::Result<Self> {
        let local_addr = socket.local_addr();
        let peer = socket.peer().cloned().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Self::connected(Connected::Memory(socket), local_addr, peer))
    }

    fn connected(socket: Connected, local_addr: Addr, peer: Addr) -> Self {
        let errors = ErrorQueue::new(socket.transport().recv_half(1));
        Self {
            #[cfg(unix)]
            own_path: Mutex::default(),
            socket,
            local_addr,
            route: peer.into(),
            errors,
            again: None,
        }
    }

    /// Removes the path of the socket, though the socket stays open while calls use it.
    #[cfg(unix)]
    pub(crate) fn remove_path(&self) {
        drop(locked(&self.own_path).take());
    }

    /// Whether sends often wait for the peer to read.
    pub(crate) fn waits_for_peer(&self) -> bool {
        self.socket.transport().sends_at_once()
    }

    /// The length of the longest datagram that can arrive, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.socket.transport().longest()
    }

    /// The socket of the operating system, if there is one.
    pub(crate) fn socket(&self) -> Option<SocketRef<'static>> {
        match &self.socket {
            Connected::Udp { socket, .. } => Some(SocketRef::shared(Arc::clone(socket))),
            #[cfg(unix)]
            Connected::Unix(unix) => Some(SocketRef::shared_unix(Arc::clone(&unix.socket))),
            #[cfg(feature = "testing")]
            Connected::Memory(_) => None,
        }
    }

    /// The longest datagram that can be sent, in bytes.
    pub(crate) fn max_len(&self) -> usize {
        max_len(&self.route.peer).min(self.socket.transport().max_len())
    }

    /// Receives the datagrams that have arrived. With `ask_kernel`, it reads the socket even if tokio reports
    /// that it is not readable. So it also finds datagrams that arrived after the runtime has last polled the
    /// socket.
    pub(crate) fn try_recv(&self, batch: &mut RecvBatch, ask_kernel: bool) -> io::Result<()> {
        self.errors.receive(
            |half| {
                if ask_kernel { half.recv_now(batch) } else { half.try_recv(batch) }
            },
        )
    }

    /// Completes when `try_recv` may succeed.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match &self.socket {
            Connected::Udp { socket, .. } => socket.readable().await,
            #[cfg(unix)]
            Connected::Unix(unix) => unix.readable().await,
            #[cfg(feature = "testing")]
            Connected::Memory(socket) => {
                socket.readable().await;
                Ok(())
            }
        }
    }

    /// Sends one whole datagram, or nothing.
    pub(crate) fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        let send = || self.socket.transport().try_send(&self.route, datagram);
        self.errors.send(send, || self.take_error())
    }

    /// Sends one whole datagram with descriptors or credentials, or nothing.
    #[cfg(unix)]
    pub(crate) fn try_send_passing(&self, datagram: &[u8], passing: Passing<'_>) -> io::Result<()> {
        self.socket.transport().try_send_passing(&self.route, datagram, passing)
    }

    #[cfg(unix)]
    pub(crate) fn passes_fds(&self) -> bool {
        self.socket.transport().passes_fds()
    }

    /// Whether the socket can pass this.
    #[cfg(unix)]
    pub(crate) fn passes(&self, passing: Passing<'_>) -> bool {
        self.socket.transport().can_pass(passing)
    }

    /// Sends the datagrams for which the kernel has room, and removes them from `batch`. Returns false if
    /// some are left. If the kernel refuses datagrams, returns the first error.
    pub(crate) fn try_send_batch(
        &self,
        batch: &mut SendBatch,
        counters: &ClientCounters,
    ) -> io::Result<bool> {
        let send = || {
            let (mut first, before, mut refused) = (Ok(()), batch.len(), 0);
            let done = self.socket.transport().send_batch(batch, &mut |_, error| {
                refused += 1;
                if first.is_ok() {
                    first = Err(error);
                }
            });
            add(&counters.send_errors, refused as u64);
            add(&counters.sent, (before - batch.len() - refused) as u64);
            first.map(|()| done)
        };
        self.errors.send(send, || self.take_error())
    }

    /// Removes the error of the socket, if it has one, and returns it.
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        match &self.socket {
            Connected::Udp { socket, .. } => socket.take_error(),
            // The kernel refuses the datagram itself.
            #[cfg(unix)]
            Connected::Unix(_) => Ok(None),
            #[cfg(feature = "testing")]
            Connected::Memory(_) => Ok(None),
        }
    }

    /// Completes when `try_send` may succeed.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        match &self.socket {
            Connected::Udp { socket, .. } => socket.writable().await,
            #[cfg(unix)]
            Connected::Unix(unix) => unix.writable().await,
            #[cfg(feature = "testing")]
            Connected::Memory(socket) => {
                socket.writable().await;
                Ok(())
            }
        }
    }
}
