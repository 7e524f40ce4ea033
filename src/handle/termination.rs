//! The end of a server behind a load balancer, in two steps.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    ServerHandle,
    shutdown::after,
    status::{End, Phase},
};

/// Ends a server in two steps, so that clients behind a load balancer lose no request: the argument of
/// [`ServerHandle::terminate`].
///
/// 1. **Lame duck.** The server [is not ready](ServerHandle::is_ready) any more, so that balancers stop sending new
///    peers to it. Until they do, it still serves everybody, new peers too.
/// 2. **Grace.** The server reads nothing more, and serves what it has read. It ends when all conversations have ended,
///    or after the grace.
///
/// # Conversations of several requests
///
/// In the second step, a conversation gets everything that was read for it. Then its `recv` returns `Closed`, and its
/// handler can still send a last packet. That is right where a peer can go on with another server, and where the socket
/// stays open for the next server ([`Inherited`](crate::Inherited)): what nobody has read waits for it.
///
/// Behind a balancer that sends a peer to the same server again and again, a transfer or a game cannot go on elsewhere.
/// Set [`drain`](Self::drain) then: conversations go on until their handlers or peers end them. But then the server
/// drops the datagrams of new peers in the second step, so make the lame duck long enough. Do not set it where the
/// socket stays open for the next server: the drain would read, and drop, what is meant for that one.
///
/// # Kubernetes
///
/// When a pod has to end, Kubernetes sends SIGTERM at once, and its nodes learn of it a few seconds later. So set a lame
/// duck of about 5 s. Both times together have to be shorter than `terminationGracePeriodSeconds`, which is 30 s by
/// default, because the process is killed then.
///
/// # Examples
///
/// ```
/// use datagrammar::Termination;
/// use std::time::Duration;
///
/// let termination = Termination::default().lame_duck(Duration::from_secs(5));
/// assert_eq!(termination.get_lame_duck(), Duration::from_secs(5));
/// assert_eq!(termination.get_grace(), Duration::from_secs(20));
/// ```
#[doc(alias = "graceful")]
#[doc(alias = "Shutdown")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Termination {
    lame_duck: Duration,
    grace: Duration,
    drain: bool,
}

impl Default for Termination {
    /// No lame duck, and a grace of 20 s.
    fn default() -> Self {
        Self { lame_duck: Duration::ZERO, grace: Duration::from_secs(20), drain: false }
    }
}

impl Termination {
    /// Sets how long the server still serves everybody after it has become not ready. The default is zero, which is
    /// right without a balancer.
    ///
    /// A balancer that asks every 2 s and believes the third answer needs 6 s, and its longest timeout.
    #[must_use]
    pub const fn lame_duck(mut self, time: Duration) -> Self {
        self.lame_duck = time;
        self
    }

    /// Sets how long conversations may go on after that. The default is 20 s. With zero, the second step is a
    /// [`shutdown`](ServerHandle::shutdown), which drops what was not received yet.
    ///
    /// Conversations that still run then end as in a `shutdown`: they have
    /// [`Limits::shutdown_grace`](crate::Limits::shutdown_grace), which is 750 ms by default.
    #[must_use]
    pub const fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// Sets whether the second step is a [`drain`](ServerHandle::drain) instead of a
    /// [`graceful_shutdown`](ServerHandle::graceful_shutdown). The default is false.
    #[must_use]
    pub const fn drain(mut self, drain: bool) -> Self {
        self.drain = drain;
        self
    }

    /// Returns the time of the first step.
    #[must_use]
    pub const fn get_lame_duck(&self) -> Duration {
        self.lame_duck
    }

    /// Returns the longest time of the second step.
    #[must_use]
    pub const fn get_grace(&self) -> Duration {
        self.grace
    }

    /// Returns whether the second step is a drain.
    #[must_use]
    pub const fn is_drain(&self) -> bool {
        self.drain
    }
}

impl ServerHandle {
    /// Makes the server [not ready](Self::is_ready), so that load balancers send no new peers to it. It still serves
    /// everybody.
    ///
    /// This is the first step of [`terminate`](Self::terminate), for programs that end the server in another way. It
    /// cannot be taken back: it lasts until serving has ended. If the server does not serve, nothing happens. Before the
    /// handler has started, it holds for the serving that begins.
    #[doc(alias = "unready")]
    pub fn begin_lame_duck(&self) {
        self.status.begin_lame_duck(self.status.now().generation);
    }

    /// Ends serving in the two steps of a [`Termination`], and waits until it has ended. Returns the number of aborted
    /// conversations.
    ///
    /// Several calls, and other calls that end the server, may overlap. Each of them can make the end come earlier, and
    /// none can make it later. So a `shutdown` during the lame duck ends both steps. A server whose handler is still
    /// starting ends without a lame duck.
    ///
    /// In a conversation of this server, the call waits for the lame duck, begins the second step, and returns 0. In a
    /// clean-up, it returns 0 at once, because serving is ending already.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped in the first step, the second one does not begin, and the server stays a lame duck. If
    /// it is dropped in the second step, serving still ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Termination, Text};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # let network = datagrammar::testing::Network::new(1, datagrammar::testing::Conditions::default());
    /// # let transport = network.bind("10.0.0.1:9000")?;
    /// let server = Server::bind(transport, Text, async |text: String| text).await?;
    /// let handle = server.handle();
    /// let serving = server.spawn();
    /// assert!(handle.ready().await);
    ///
    /// let termination = Termination::default().lame_duck(Duration::from_secs(5));
    /// assert_eq!(handle.terminate(termination).await, 0);
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "graceful")]
    #[doc(alias = "SIGTERM")]
    pub async fn terminate(&self, termination: Termination) -> u64 {
        let begun = self.begin_termination();
        if !termination.lame_duck.is_zero() {
            let _ = timeout(termination.lame_duck, self.not_serving(&begun)).await;
        }
        self.end_terminated(begun, termination).await
    }

    /// Takes the first step of a termination.
    pub(crate) fn begin_termination(&self) -> Terminating {
        let generation = self.status.now().generation;
        self.status.begin_lame_duck(generation);
        Terminating { generation, aborted: self.aborted() }
    }

    /// Waits until nobody is served any more, or until another serving has begun.
    pub(crate) async fn not_serving(&self, Terminating { generation, .. }: &Terminating) {
        let mut state = self.status.watch();
        // It fails if the server was dropped; then nobody is served.
        let _ = state
            .wait_for(|state| state.generation != *generation || state.phase != Phase::Serving)
            .await;
    }

    /// Takes the second step, and waits until serving has ended. Returns how many conversations were aborted since the
    /// first one.
    pub(crate) async fn end_terminated(&self, begun: Terminating, termination: Termination) -> u64 {
        let Termination { grace, drain, .. } = termination;
        let end = after(grace, if drain { End::Drain } else { End::Finish });
        self.end(begun.generation, end).await;
        self.aborted() - begun.aborted
    }
}

/// A termination that has taken its first step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminating {
    /// The run that it ends.
    generation: u64,
    /// How many conversations were aborted before.
    aborted: u64,
}
