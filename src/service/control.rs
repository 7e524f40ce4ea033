use std::{sync::Arc, time::Duration};

use tokio::{task_local, time::Instant};

use super::{
    explain::Explanation,
    status::{End, Phase, Status},
    watch::SocketWatch,
};
use crate::{Figures, PeerAddr, events::Events, figures::Counters};

/// Controls a server from anywhere: other tasks, other threads, its own handler.
///
/// It is cheap to clone and keeps nothing alive. Once the server is dropped, everything that waits
/// returns at once and [`addresses`](Self::addresses) is empty.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    status: Arc<Status>,
    counters: Arc<Counters>,
    events: Arc<Events>,
    watch: Arc<SocketWatch>,
}

impl ServerHandle {
    pub(crate) const fn new(
        status: Arc<Status>,
        counters: Arc<Counters>,
        events: Arc<Events>,
        watch: Arc<SocketWatch>,
    ) -> Self {
        Self { status, counters, events, watch }
    }

    /// Waits until the server serves; returns false if it is dropped before.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn ready(&self) -> bool {
        let mut state = self.status.watch();
        let ready = state.wait_for(|state| state.is_serving() || state.phase == Phase::Gone).await;
        ready.is_ok_and(|state| state.is_serving())
    }

    /// Returns whether new conversations are opened: the handler has started, and nobody has asked
    /// for the end.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.status.now().is_serving()
    }

    /// Returns the addresses that are bound, with the ports the kernel chose.
    #[must_use]
    pub fn addresses(&self) -> Vec<PeerAddr> {
        self.status.addresses()
    }

    /// Returns what was counted up to now, over all sockets.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.count_kernel_drops();
        self.counters.read()
    }

    /// Explains how the server is set up, what the kernel granted it, and how that works out: for the
    /// operator who wonders where datagrams are lost, or why they cost what they do.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.count_kernel_drops();
        let addresses = self.watch.explain(&self.counters);
        Explanation::new(addresses, self.counters.read())
    }

    /// Ends serving and waits until it has ended.
    ///
    /// Nothing more is read; conversations that run have [`Limits::grace`](crate::Limits::grace),
    /// in which `recv` says `Closed` and a goodbye still goes out, and are dropped then. The sockets
    /// stay bound: `serve` may be called again. It returns at once when nothing is served.
    ///
    /// A handler or a background task that awaits this is ended by it at that point.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take back that serving ends.
    pub async fn shutdown(&self) {
        self.end(End::Now).await;
    }

    /// Lets the conversations that run come to their end, for at most `within`, and then ends serving.
    ///
    /// Meanwhile peers in conversation are heard and all others are not. What still runs afterwards
    /// ends as by [`shutdown`](Self::shutdown). Returns how many conversations were cut.
    ///
    /// # Cancel safety
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn drain(&self, within: Duration) -> u64 {
        let cut = || self.counters.read().cut;
        let before = cut();
        if within.is_zero() {
            self.end(End::Now).await;
        } else {
            let now = Instant::now();
            self.end(now.checked_add(within).map_or(End::Drain(now + FAR), End::Drain)).await;
        }
        cut() - before
    }

    /// Counts what the kernel has dropped up to now, and tells of it.
    pub(crate) fn count_kernel_drops(&self) {
        // Not under the lock of the sockets: whoever is told may look at the figures.
        if let Some(local) = self.watch.count_drops(&self.counters) {
            self.events.kernel_dropped(&local);
        }
    }

    /// Runs a clean-up of this server.
    pub(super) async fn clean_up<T>(&self, clean_up: impl Future<Output = T>) -> T {
        CLEANED_UP.scope(Arc::clone(&self.status), clean_up).await
    }

    async fn end(&self, end: End) {
        let mut state = self.status.watch();
        let epoch = state.borrow().epoch;
        self.status.ask(epoch, end);
        // A clean-up that waited here would wait for itself.
        if CLEANED_UP.try_with(|status| Arc::ptr_eq(status, &self.status)).unwrap_or(false) {
            return;
        }
        // It fails when the server is gone; then it has ended too.
        let _ = state.wait_for(|state| state.epoch != epoch || !state.in_progress()).await;
    }
}

/// For a drain that is to take as long as it takes.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

task_local! {
    /// The server of which a clean-up is polled.
    static CLEANED_UP: Arc<Status>;
}
