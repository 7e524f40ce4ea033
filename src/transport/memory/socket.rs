//! One socket of a network in memory.

use std::{
    fmt,
    future::pending,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    sync::Notify,
    task::coop,
    time::{Instant, sleep_until},
};

use super::network::Network;
use crate::{
    Addr, AddrError, ToAddrs,
    transport::{RecvBatch, RecvHalf, Route, Transport},
};

/// A socket of a [`Network`]. Pass it to [`Server::bind`](crate::Server::bind) or
/// [`Client::connect`](crate::Client::connect). It is closed when it is dropped.
///
/// # Examples
///
/// ```
/// use datagrammar::testing::{Conditions, MemorySocket, Network};
/// use std::io::ErrorKind;
///
/// let network = Network::new(1, Conditions::default());
/// let socket: MemorySocket = network.bind("10.0.0.1:9000")?;
/// assert_eq!(socket.local_addr().port(), Some(9000));
/// assert_eq!(network.bind("10.0.0.1:9000").unwrap_err().kind(), ErrorKind::AddrInUse);
/// drop(socket);
/// assert!(network.bind("10.0.0.1:9000").is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MemorySocket {
    network: Network,
    local: Addr,
    peer: Option<Addr>,
    changed: Arc<Notify>,
    /// The future that the worker of a server waits for, kept from one poll to the next.
    sending: Mutex<Waiting>,
}

type Waiting = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

impl Network {
    /// Binds a socket, for a server. With port 0, the network chooses a free port. If there are several
    /// addresses, only the first is used. A network in memory does not resolve names.
    ///
    /// # Errors
    ///
    /// - [`AddrInUse`](io::ErrorKind::AddrInUse) if the address is bound already.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) for a wildcard address, because a host of this network
    ///   has only one address, and for text that is not a numeric address, such as `127.0.0.1:9000`.
    pub fn bind(&self, addr: impl ToAddrs) -> io::Result<MemorySocket> {
        MemorySocket::open(self, single(&addr)?, None)
    }

    /// Binds a socket that sends to `peer` and receives from `peer` only, for a client.
    ///
    /// # Errors
    ///
    /// The same as [`bind`](Self::bind).
    pub fn connect(&self, local: impl ToAddrs, peer: impl ToAddrs) -> io::Result<MemorySocket> {
        MemorySocket::open(self, single(&local)?, Some(single(&peer)?.into()))
    }
}

impl MemorySocket {
    fn open(network: &Network, local: SocketAddr, peer: Option<Addr>) -> io::Result<Self> {
        let (addr, changed) = network.open(local, peer.clone())?;
        let (network, sending) = (network.clone(), Mutex::default());
        Ok(Self { network, local: addr, peer, changed, sending })
    }

    /// Returns the address of this socket.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.local.clone()
    }

    pub(crate) const fn peer(&self) -> Option<&Addr> {
        self.peer.as_ref()
    }

    /// Completes when a receive can succeed.
    pub(crate) fn readable(&self) -> impl Future<Output = ()> + Send + use<> {
        readable(&self.network, &self.local, &self.changed)
    }

    /// Completes when there is room to send.
    pub(crate) fn writable(&self) -> impl Future<Output = ()> + Send + use<> {
        let (network, local) = (self.network.clone(), self.local.clone());
        let room = move || network.has_room(&local).then(Instant::now);
        wait_until(Arc::clone(&self.changed), room)
    }
}

fn readable(
    network: &Network,
    local: &Addr,
    changed: &Arc<Notify>,
) -> impl Future<Output = ()> + Send + use<> {
    let (network, local) = (network.clone(), local.clone());
    wait_until(Arc::clone(changed), move || network.next_arrival(&local))
}

/// Waits for the time that `when` returns. It calls `when` again after each change.
async fn wait_until(changed: Arc<Notify>, when: impl Fn() -> Option<Instant> + Send) {
    loop {
        let mut change = std::pin::pin!(changed.notified());
        change.as_mut().enable();
        let at = when();
        if at.is_some_and(|at| at <= Instant::now()) {
            return;
        }
        let due = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = change => {}
            () = due => return,
        }
    }
}

/// Polls the future in `waiting`. After it has completed, the next poll makes a new one.
fn poll<F: Future<Output = ()> + Send + 'static>(
    waiting: &mut Waiting,
    cx: &mut Context<'_>,
    make: impl FnOnce() -> F,
) -> Poll<io::Result<()>> {
    // Like tokio's sockets, this uses the task's budget: a socket that is always ready must not occupy the
    // thread forever.
    let budget = ready!(coop::poll_proceed(cx));
    let polled = waiting.get_or_insert_with(|| Box::pin(make())).as_mut().poll(cx);
    if polled.is_ready() {
        budget.made_progress();
        *waiting = None;
    }
    polled.map(Ok)
}

impl Transport for MemorySocket {
    fn local_addr(&self) -> &Addr {
        &self.local
    }

    fn recv_half(&self, _: usize) -> Box<dyn RecvHalf> {
        let (network, local) = (self.network.clone(), self.local.clone());
        let changed = Arc::clone(&self.changed);
        Box::new(MemoryRecvHalf { network, local, changed, waiting: None })
    }

    fn try_send(&self, to: &Route, datagram: &[u8]) -> io::Result<()> {
        let to = Addr::from(*to.peer.ip_socket());
        self.network.send(&self.local, &to, datagram)
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        poll(&mut sending, cx, || self.writable())
    }
}

/// The receive half. It does not keep the socket open: once the socket is dropped, nothing arrives any more.
struct MemoryRecvHalf {
    network: Network,
    local: Addr,
    changed: Arc<Notify>,
    /// The future that it waits for, kept from one poll to the next.
    waiting: Waiting,
}

impl RecvHalf for MemoryRecvHalf {
    fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        // An error stays queued until it can be returned, so that it is not lost.
        while batch.is_empty() || !self.network.fails(&self.local) {
            let Some(room) = batch.room() else { break };
            match self.network.take(&self.local, room) {
                Ok((len, from)) => batch.push(from, len),
                Err(error) if batch.is_empty() => return Err(error),
                Err(_would_block) => break,
            }
        }
        Ok(())
    }

    fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        self.try_recv(batch)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { network, local, changed, waiting } = self;
        poll(waiting, cx, || readable(network, local, changed))
    }
}

impl fmt::Debug for MemoryRecvHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRecvHalf").field("addr", &self.local).finish_non_exhaustive()
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.network.close(&self.local);
    }
}

impl fmt::Debug for MemorySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySocket").field("addr", &self.local).finish_non_exhaustive()
    }
}

/// The first address of `addrs`.
fn single(addrs: &impl ToAddrs) -> io::Result<SocketAddr> {
    let refused = |error: AddrError| io::Error::new(error.kind(), error);
    let targets = addrs.targets();
    let first = targets.first().ok_or_else(AddrError::none).map_err(refused)?;
    first.in_numbers().map_err(refused)
}
