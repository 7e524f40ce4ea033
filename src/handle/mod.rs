//! The handle of a server, and the context that its handler gets at the start.

mod context;
pub(crate) mod control;
mod diagnostics;
mod reload;
pub(crate) mod status;
pub(crate) mod watch;

use std::{any::Any, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use tokio::time::Instant;

use self::{
    control::Control,
    status::{End, Phase, Status},
    watch::SocketWatch,
};
use crate::{
    Addr, PeerSender, SenderError, ServerStats,
    events::Events,
    inside::{inside, is_inside},
    peer::sender_to,
    socket::SocketState,
    stats::Counters,
    transport::reaches,
};
pub use context::ServerContext;
pub use diagnostics::{Buffer, Diagnostics, SocketDiagnostics};

/// A handle to a server, to shut it down, to read its stats and diagnostics, and to send to peers.
///
/// [`Server::handle`](crate::Server::handle) and [`ServerContext::handle`] return it. Use it from any task or
/// thread, and from the server's own handler. It is cheap to clone. It does not keep the server alive: once
/// the server is dropped, all waiting calls return, and [`local_addrs`](Self::local_addrs) is empty.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
/// let (addr, handle) = (server.local_addr(), server.handle());
/// let serving = server.spawn();
/// assert!(handle.ready().await);
///
/// let client = Client::connect(addr, Text).await?;
/// client.send("hello".to_owned()).await?;
/// assert_eq!(client.recv().await?, "hello");
/// assert_eq!(handle.stats().received, 1);
///
/// handle.shutdown().await;
/// assert!(!handle.is_serving());
/// serving.await??;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandle {
    status: Arc<Status>,
    counters: Arc<Counters>,
    events: Arc<Events>,
    watch: Arc<SocketWatch>,
    /// An [`Encoder`](crate::peer::Encoder) of the packets that the server sends.
    encoder: Arc<dyn Any + Send + Sync>,
    control: Arc<Control>,
}

impl ServerHandle {
    pub(crate) const fn new(
        status: Arc<Status>,
        counters: Arc<Counters>,
        events: Arc<Events>,
        watch: Arc<SocketWatch>,
        encoder: Arc<dyn Any + Send + Sync>,
        control: Arc<Control>,
    ) -> Self {
        Self { status, counters, events, watch, encoder, control }
    }

    /// Waits until the server serves, and returns true. Returns false if the server is dropped before
    /// it serves.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn ready(&self) -> bool {
        let mut state = self.status.watch();
        let ready = state.wait_for(|state| state.is_serving() || state.phase == Phase::Gone).await;
        ready.is_ok_and(|state| state.is_serving())
    }

    /// Returns whether the server opens new conversations: the handler has started, and no shutdown or drain
    /// has begun.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.status.now().is_serving()
    }

    /// Returns the addresses that the server is bound to, with the ports that the kernel chose.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<Addr> {
        self.status.local_addrs()
    }

    /// Returns the current values of the counters, summed over all sockets.
    #[doc(alias = "counters")]
    #[doc(alias = "metrics")]
    #[doc(alias = "prometheus")]
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.count_kernel_drops();
        self.counters.read()
    }

    /// Returns how the server is set up, which buffer sizes the kernel granted, and how many datagrams the
    /// kernel dropped. Read it to find the cause of lost datagrams or of a high load.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        self.count_kernel_drops();
        let addresses = self.watch.explain(&self.counters);
        Diagnostics::new(addresses, self.counters.read())
    }

    /// Returns a sender to a peer that has not sent anything yet. Use it in programs that send first to many
    /// peers from one socket, such as discovery and peer-to-peer programs.
    ///
    /// `Res` is the type of the packets that the server sends. Datagrams leave from the first address of the
    /// server that has the family of the peer and can reach it. A loopback address reaches only loopback
    /// addresses and multicast groups. The peer may be a multicast group. It may be a broadcast address if
    /// [`Udp::broadcast`](crate::Udp::broadcast) allows that. It may be a Unix socket if the server is bound to one:
    /// `Addr` can be made from a `std::os::unix::net::SocketAddr`. An answer opens a conversation of the handler,
    /// like any other datagram. The sender works while the server serves.
    ///
    /// # Errors
    ///
    /// - [`SenderError::OtherPackets`] if the server sends packets of another type than `Res`.
    /// - [`SenderError::Unreachable`] if no socket of the server can reach the address.
    /// - [`SenderError::Closed`] if the server was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text, reply_if};
    /// use std::net::UdpSocket;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let peer = UdpSocket::bind("127.0.0.1:0")?;
    /// let quiet = reply_if(async |_: String| None::<String>);
    /// let server = Server::bind("127.0.0.1:0", Text, quiet).await?;
    /// let handle = server.handle();
    /// let serving = server.spawn();
    /// assert!(handle.ready().await);
    ///
    /// handle.sender::<String>(peer.local_addr()?)?.send("who is there?".to_owned()).await?;
    ///
    /// let mut datagram = [0; 16];
    /// let len = peer.recv(&mut datagram)?;
    /// assert_eq!(&datagram[..len], b"who is there?");
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "push")]
    pub fn sender<Res: 'static>(
        &self,
        peer: impl Into<Addr>,
    ) -> Result<PeerSender<Res>, SenderError> {
        let peer = peer.into();
        let encoder = self.encoder.downcast_ref().ok_or(SenderError::OtherPackets)?;
        let sender = |socket: &Arc<SocketState>| {
            reaches(socket.outbox.transport(), &peer)
                .then(|| sender_to(peer.clone(), socket, encoder))
        };
        match self.watch.find(sender) {
            (Some(sender), _) => Ok(sender),
            (None, true) => Err(SenderError::Unreachable),
            (None, false) => Err(SenderError::Closed),
        }
    }

    /// Ends serving and waits until it has ended.
    ///
    /// The server stops reading datagrams. Running conversations may go on for
    /// [`Limits::shutdown_grace`](crate::Limits::shutdown_grace) (750 ms by default). In them `recv` returns
    /// `Closed`, and they can still send a last packet. Conversations that run longer are dropped. The
    /// sockets stay bound, so `serve` can be called again. If the server does not serve, `shutdown` returns
    /// at once.
    ///
    /// In a conversation or a clean-up of this server, `shutdown` returns at once, and serving ends
    /// afterwards, because neither can wait for its own end. In a background task of the server, the task is
    /// dropped while it waits. A clean-up must not wait for another task that awaits `shutdown`, because both
    /// would wait forever; that task should call [`begin_shutdown`](Self::begin_shutdown).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled once, serving still ends.
    #[doc(alias = "graceful")]
    #[doc(alias = "stop")]
    pub async fn shutdown(&self) {
        self.end(End::Now).await;
    }

    /// Ends serving as [`shutdown`](Self::shutdown) does, but does not wait for the end.
    ///
    /// # Examples
    ///
    /// A server that each of its peers may shut down:
    ///
    /// ```
    /// use datagrammar::{BoxError, Handler, Peer, ServerHandle, ServerContext};
    /// use std::sync::OnceLock;
    ///
    /// #[derive(Default)]
    /// struct Echo(OnceLock<ServerHandle>);
    ///
    /// impl Handler<String, String> for Echo {
    ///     async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
    ///         self.0.get_or_init(|| context.handle().clone());
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
    ///         let request = peer.recv().await?;
    ///         if request == "quit" {
    ///             self.0.get().expect("it has started").begin_shutdown();
    ///         }
    ///         Ok(peer.send(&request).await?)
    ///     }
    /// }
    /// ```
    pub fn begin_shutdown(&self) {
        self.status.ask(self.status.now().generation, End::Now);
    }

    /// Waits until a shutdown or a drain begins, the future given to `serve_until` completes, a socket fails,
    /// or the future of `serve` is dropped. If the server does not serve, `stopping` returns at once.
    ///
    /// Use it in `select!`, for work that must end before the server ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn stopping(&self) {
        let mut state = self.status.watch();
        let generation = state.borrow().generation;
        // It fails if the server was dropped; then nothing is served.
        let _ = state.wait_for(|state| state.generation != generation || !state.goes_on()).await;
    }

    /// Waits until serving has ended, but does not end it. If the server does not serve, `stopped` returns at
    /// once.
    ///
    /// When the future of `serve` is dropped, the runtime drops conversations and background tasks a moment
    /// later. `stopped` waits for them too; [`shutdown`](Self::shutdown) does not. Conversations and tasks
    /// hold the sockets open. So once the server was dropped and `stopped` has returned, the ports are free.
    ///
    /// If a conversation or a background task of the server awaits `stopped`, it is dropped while it waits.
    /// In a clean-up, `stopped` returns at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, Server};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::builder(Text, async |text: String| text).bind("127.0.0.1:0").await?;
    /// let (address, handle) = (server.local_addr(), server.handle());
    /// let serving = tokio::spawn(async move { server.serve().await });
    /// assert!(handle.ready().await);
    ///
    /// serving.abort();
    /// assert!(serving.await.is_err(), "it was aborted, and the server dropped");
    /// handle.stopped().await;
    /// std::net::UdpSocket::bind(address)?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stopped(&self) {
        let mut state = self.status.watch();
        let generation = state.borrow().generation;
        let ended = async {
            let _ = state
                .wait_for(|state| state.generation != generation || !state.in_progress())
                .await;
            self.status.guards.gone(generation).await;
        };
        let cleans_up = || self.is_around() && self.status.now().phase == Phase::Stopping;
        unless(cleans_up, ended).await;
    }

    /// Waits at most `within` for the running conversations to end. Then it ends serving. Returns the number
    /// of aborted conversations.
    ///
    /// During this time the server still handles datagrams from peers that have a conversation. It drops all
    /// others, and counts them as [`DropReason::ShuttingDown`](crate::DropReason::ShuttingDown).
    /// Conversations that still run after `within` end as in a [`shutdown`](Self::shutdown).
    ///
    /// In a conversation of this server, the drain begins, and `drain` returns 0 at once. In a clean-up,
    /// `drain` returns 0 at once, because serving is ending already.
    ///
    /// # Cancel safety
    ///
    /// The same as [`shutdown`](Self::shutdown).
    #[doc(alias = "graceful")]
    pub async fn drain(&self, within: Duration) -> u64 {
        let cut = || self.counters.read().aborted;
        let before = cut();
        if within.is_zero() {
            self.end(End::Now).await;
        } else {
            let now = Instant::now();
            self.end(now.checked_add(within).map_or(End::Drain(now + FAR), End::Drain)).await;
        }
        cut() - before
    }

    /// Counts the datagrams that the kernel has dropped so far, and logs their number.
    pub(crate) fn count_kernel_drops(&self) {
        // Not under the lock of the sockets, because a `tracing` subscriber may read the stats.
        if let Some((local, is_filtered)) = self.watch.count_drops(&self.counters) {
            self.events.kernel_dropped(&local, is_filtered);
        }
    }

    pub(super) fn sockets(&self) -> Vec<Arc<SocketState>> {
        self.watch.sockets()
    }

    /// Runs a clean-up of this server, and marks the thread while it is polled.
    pub(super) async fn clean_up<T>(&self, clean_up: impl Future<Output = T>) -> T {
        let mut clean_up = pin!(clean_up);
        poll_fn(|cx| inside(self.status.server, || clean_up.as_mut().poll(cx))).await
    }

    async fn end(&self, end: End) {
        let mut state = self.status.watch();
        let generation = state.borrow().generation;
        self.status.ask(generation, end);
        // It fails if the server was dropped; then serving has ended too.
        let ended = state.wait_for(|state| state.generation != generation || !state.in_progress());
        // A conversation or a clean-up would wait for itself.
        unless(|| self.is_around(), async { drop(ended.await) }).await;
    }

    /// Whether a conversation or a clean-up of this server is polled on this thread right now.
    pub(crate) fn is_around(&self) -> bool {
        is_inside(self.status.server)
    }

    /// Whether a call of `serve` has begun and not ended.
    #[cfg(feature = "blocking")]
    pub(crate) fn in_progress(&self) -> bool {
        self.status.now().in_progress()
    }
}

/// Waits for `future`, unless `condition` holds when it is polled.
async fn unless(condition: impl Fn() -> bool, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    // Checked at each poll, because only then this thread shows whether the future is part of a conversation.
    poll_fn(|cx| if condition() { Poll::Ready(()) } else { future.as_mut().poll(cx) }).await;
}

/// The timeout of a drain whose `within` is too long to compute its end.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
