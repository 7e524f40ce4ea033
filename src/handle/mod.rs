//! The handle of a server, and the context that its handler gets at the start.

mod context;
pub(crate) mod control;
mod diagnostics;
#[cfg(unix)]
mod hand_over;
mod liveness;
mod reload;
mod shutdown;
pub(crate) mod status;
pub(crate) mod termination;
pub(crate) mod watch;

use std::{any::Any, future::poll_fn, pin::pin, sync::Arc};

use self::{
    control::Control,
    status::{Phase, Status},
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
pub use liveness::BlockedWorker;
pub use termination::Termination;

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

    /// Waits until the server [is ready](Self::is_ready), and returns true. Returns false if the server is dropped
    /// before it is ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn ready(&self) -> bool {
        let mut state = self.status.watch();
        let ready = state.wait_for(|state| state.is_ready() || state.phase == Phase::Gone).await;
        ready.is_ok_and(|state| state.is_ready())
    }

    /// Waits until the server serves, also as a lame duck. Returns false if the server is dropped before.
    #[cfg(all(feature = "systemd", target_os = "linux"))]
    pub(crate) async fn serving(&self) -> bool {
        let mut state = self.status.watch();
        let serving =
            state.wait_for(|state| state.is_serving() || state.phase == Phase::Gone).await;
        serving.is_ok_and(|state| state.is_serving())
    }

    /// Returns whether a load balancer should send new peers to this server: the handler has started, and no end has
    /// begun. From the first step of any end on, this is false: from [`begin_lame_duck`](Self::begin_lame_duck),
    /// [`terminate`](Self::terminate), [`drain`](Self::drain), [`graceful_shutdown`](Self::graceful_shutdown) and
    /// [`shutdown`](Self::shutdown) on, from the completion of the future given to `serve_until` on, and when a socket
    /// has failed.
    ///
    /// The endpoint of the feature `admin` answers `/ready` with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    /// assert!(!handle.is_ready());
    /// let serving = server.spawn();
    /// assert!(handle.ready().await && handle.is_ready());
    ///
    /// handle.begin_lame_duck();
    /// assert!(!handle.is_ready() && handle.is_serving());
    ///
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "healthy")]
    #[doc(alias = "readiness")]
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status.now().is_ready()
    }

    /// The same, with the reason why it is not ready.
    #[cfg(feature = "admin")]
    pub(crate) fn readiness(&self) -> Result<(), &'static str> {
        self.status.now().readiness()
    }

    /// Waits until the server is dropped.
    #[cfg(feature = "admin")]
    pub(crate) async fn gone(&self) {
        // This handle has the sender.
        let _ = self.status.watch().wait_for(|state| state.phase == Phase::Gone).await;
    }

    /// Returns whether the server opens new conversations: the handler has started, and no shutdown or drain
    /// has begun. A lame duck still does.
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
    /// like any other datagram. The sender works while the server serves. To a peer behind a
    /// [proxy](crate::ServerBuilder::trust_proxy) it sends through that proxy, if `peer` is an [`Addr`] that the server has given
    /// you: one of your own making knows no [proxy](Addr::proxy).
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
