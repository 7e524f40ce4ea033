//! How a server is shut down, and how to wait for its end.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::time::Instant;

use super::{
    ServerHandle,
    status::{End, Phase},
};

impl ServerHandle {
    /// Ends serving and waits until it has ended.
    ///
    /// The server stops reading datagrams, and drops those that wait. To serve those first, call
    /// [`graceful_shutdown`](Self::graceful_shutdown). Running conversations may go on for
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
        self.end(self.status.now().generation, End::Now).await;
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
    /// or the future of `serve` is dropped. If the server does not serve, `stopping` returns at once. A
    /// [lame duck](Self::begin_lame_duck) is not stopping yet.
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

    /// Stops reading datagrams, serves those that were read already, and ends serving when they are served, or
    /// after `within`. Returns the number of aborted conversations.
    ///
    /// Datagrams that wait for a running conversation are handed to it or to the next one, and those that were
    /// read together with them still open conversations. Once none waits for a conversation, its `recv` returns
    /// `Closed`. Conversations that still run after `within` end as in a [`shutdown`](Self::shutdown).
    ///
    /// What arrives from now on stays in the socket. So if another server has the same socket, because a parent
    /// process or systemd holds it ([`Inherited`](crate::Inherited)) or because it was cloned, a restart loses no
    /// datagram. If this server serves again, it drops them.
    ///
    /// Compare the other ends: [`shutdown`](Self::shutdown) drops what waits. [`drain`](Self::drain) goes on reading,
    /// so that conversations end when their handlers or peers end them.
    ///
    /// In a conversation of this server, the end begins, and `graceful_shutdown` returns 0 at once. In a
    /// clean-up, it returns 0 at once, because serving is ending already.
    ///
    /// # Cancel safety
    ///
    /// The same as [`shutdown`](Self::shutdown).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Client, Server, Text};
    /// use std::{net::UdpSocket, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// let client = Client::connect(socket.local_addr()?, Text).await?;
    /// let echo = async |text: String| text;
    ///
    /// let server = Server::bind(socket.try_clone()?, Text, echo).await?;
    /// let handle = server.handle();
    /// let serving = server.spawn();
    /// assert!(handle.ready().await);
    /// assert_eq!(handle.graceful_shutdown(Duration::from_secs(5)).await, 0);
    /// serving.await??;
    /// client.send("in between".to_owned()).await?;
    ///
    /// let next = Server::bind(socket, Text, echo).await?;
    /// let handle = next.handle();
    /// let serving = next.spawn();
    /// assert_eq!(client.recv().await?, "in between");
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "graceful")]
    #[doc(alias = "restart")]
    pub async fn graceful_shutdown(&self, within: Duration) -> u64 {
        self.end_within(within, End::Finish).await
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
        self.end_within(within, End::Drain).await
    }

    async fn end_within(&self, within: Duration, end: fn(Instant) -> End) -> u64 {
        let before = self.aborted();
        self.end(self.status.now().generation, after(within, end)).await;
        self.aborted() - before
    }

    /// How many conversations were aborted so far.
    pub(super) fn aborted(&self) -> u64 {
        self.counters.read().aborted
    }

    /// Ends the run `generation`, and waits for its end.
    pub(super) async fn end(&self, generation: u64, end: End) {
        let mut state = self.status.watch();
        self.status.ask(generation, end);
        // It fails if the server was dropped; then serving has ended too.
        let ended = state.wait_for(|state| state.generation != generation || !state.in_progress());
        // A conversation or a clean-up would wait for itself.
        unless(|| self.is_around(), async { drop(ended.await) }).await;
    }
}

/// The end that conversations have the time `within` for.
pub(super) fn after(within: Duration, end: fn(Instant) -> End) -> End {
    if within.is_zero() {
        return End::Now;
    }
    end(deadline(within))
}

/// The time `within` from now, or the end of a year if that cannot be computed.
pub(super) fn deadline(within: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(within).unwrap_or_else(|| now + FAR)
}

/// Waits for `future`, unless `condition` holds when it is polled.
async fn unless(condition: impl Fn() -> bool, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    // Checked at each poll, because only then this thread shows whether the future is part of a conversation.
    poll_fn(|cx| if condition() { Poll::Ready(()) } else { future.as_mut().poll(cx) }).await;
}

/// The timeout of an end whose `within` is too long to compute its end.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
