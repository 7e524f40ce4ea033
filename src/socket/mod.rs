//! What the worker of one socket shares with its conversations and senders.

pub(crate) mod batch_context;
pub(crate) mod mailbox;
pub(crate) mod outbox;
pub(crate) mod reread;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Context,
};

use tokio::sync::Notify;

use crate::{
    Addr, BoxError,
    events::Events,
    limits::Limits,
    stats::{Counters, DropReason, add},
    tasks::Tasks,
};
use outbox::Outbox;
use reread::Reread;

/// One bound socket of a server with all that its worker, its conversations and its senders share. It
/// knows neither the packets nor the handler.
pub(crate) struct SocketState {
    /// Tells sockets apart, also after one is gone.
    pub(crate) id: u64,
    pub(crate) outbox: Outbox,
    pub(crate) limits: Arc<Limits>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<Events>,
    ended: Mutex<Vec<(Addr, u64)>>,
    any_ended: AtomicBool,
    pub(crate) reread: Reread,
    /// Told when serving ends, to the conversations that wait for something else.
    pub(crate) closing: Notify,
    /// The conversation that was opened last, as each worker leaves it for the next, so that no two of
    /// a socket have the same number.
    pub(crate) serial: AtomicU64,
    /// What conversations start that is to go on after them.
    pub(crate) tasks: Arc<Tasks>,
}

impl SocketState {
    pub(crate) fn new(
        outbox: Outbox,
        limits: Arc<Limits>,
        counters: Arc<Counters>,
        events: Arc<Events>,
        tasks: Arc<Tasks>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);

        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            outbox,
            limits,
            counters,
            events,
            ended: Mutex::default(),
            any_ended: AtomicBool::new(false),
            reread: Reread::default(),
            closing: Notify::new(),
            serial: AtomicU64::new(0),
            tasks,
        }
    }

    /// Tells the worker that a conversation is over, so that its place becomes free.
    pub(crate) fn ended(&self, peer: Addr, serial: u64) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push((peer, serial));
        self.any_ended.store(true, Ordering::Release);
        self.outbox.signal.wake();
    }

    /// Calls `end` for each conversation that has ended since the last call.
    pub(crate) fn each_ended(&self, mut end: impl FnMut(&Addr, u64)) {
        if self.any_ended.swap(false, Ordering::Acquire) {
            // More than a few at once are rare, and what was needed for them goes back.
            const KEPT: usize = 256;

            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            for (peer, serial) in ended.drain(..) {
                end(&peer, serial);
            }
            ended.shrink_to(KEPT);
        }
    }

    /// Has the worker read the socket once more; returns the round to wait for.
    pub(crate) fn ask_for_reread(&self, cx: &Context<'_>) -> u64 {
        let round = self.reread.ask(cx);
        self.outbox.signal.wake();
        round
    }

    /// Counts datagrams that were dropped, and tells of the first.
    #[cold]
    pub(crate) fn dropped(&self, reason: DropReason, datagrams: u64) {
        self.counters.dropped(reason, datagrams);
        self.events.dropped(reason, self.outbox.transport().local_addr(), &self.limits);
    }

    /// Tells how a conversation went whose handler has returned or panicked.
    pub(crate) fn report(&self, peer: &Addr, error: &BoxError, panicked: bool) {
        let spoken = self.events.error(peer, &**error, "a conversation failed");
        // Not before: an error that panics as it is told is another one.
        let counter =
            if panicked || !spoken { &self.counters.panicked } else { &self.counters.failed };
        add(counter, 1);
    }
}

impl fmt::Debug for SocketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketState")
            .field("id", &self.id)
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}
