//! The state of one socket that its worker shares with conversations and senders.

mod asking;
pub(crate) mod batch_context;
mod late;
pub(crate) mod look_up;
pub(crate) mod mailbox;
pub(crate) mod outbox;
pub(crate) mod pulse;
pub(crate) mod reread;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Context,
};

use tokio::sync::Notify;

#[cfg(unix)]
use crate::handover::succession::SocketPart;
use crate::{
    Addr, BoxError, SendError,
    chunk::Chunks,
    events::Events,
    guard::{Rules, Watch},
    limits::LiveLimits,
    proxy::{self, TrustedProxies},
    reply_cache::{Keep, Recorded, Replies, Reply},
    stats::{Counters, DropReason, add},
    tasks::Tasks,
    token::Validation,
};
pub(crate) use asking::Taken;
use batch_context::BatchContext;
use outbox::Outbox;
use pulse::Pulse;
use reread::Reread;

/// One bound socket of a server, with everything that its worker, its conversations and its senders share. It
/// depends neither on the packets nor on the handler.
pub(crate) struct SocketState {
    /// Unique in this process, even after the socket is closed.
    pub(crate) id: u64,
    pub(crate) outbox: Outbox,
    pub(crate) limits: Arc<LiveLimits>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<Events>,
    ended: Mutex<Vec<(Addr, u64)>>,
    any_ended: AtomicBool,
    pub(crate) reread: Reread,
    /// How many conversations were given to another runtime that has not polled them yet.
    pub(crate) unpolled: AtomicUsize,
    /// Shows whether the loop of the worker turns.
    pub(crate) pulse: Pulse,
    /// Notified when serving ends, for conversations that do not wait in `recv`.
    pub(crate) closing: Notify,
    /// The number of the conversation that was opened last. The worker of the next serving continues from it,
    /// so that no two conversations of a socket have the same number.
    pub(crate) serial: AtomicU64,
    /// The background tasks that conversations start.
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) replies: Option<Replies>,
    /// Packets that are longer than one datagram, if the server has them. Then it also has a reply cache.
    pub(crate) chunks: Option<Arc<Chunks>>,
    /// Whether replies leave in batches and are not recorded.
    pub(crate) sends_in_batches: bool,
    /// Whether a reply store has to be asked about requests.
    pub(crate) has_store: bool,
    /// The rules of the guard, if the server has one.
    pub(crate) guard: Arc<Watch>,
    /// The address tokens, if the server has them.
    pub(crate) validation: Option<Arc<Validation>>,
    /// The proxies that it trusts, if the server trusts any and this is no Unix socket.
    pub(crate) proxies: Option<Arc<TrustedProxies>>,
    /// The processes before and after this one.
    #[cfg(unix)]
    pub(crate) hand_over: SocketPart,
}

/// What all sockets of a server share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) limits: Arc<LiveLimits>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: Arc<Events>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) guard: Arc<Watch>,
    pub(crate) validation: Option<Arc<Validation>>,
    pub(crate) proxies: Option<Arc<TrustedProxies>>,
}

impl SocketState {
    pub(crate) fn new(
        outbox: Outbox,
        shared: Shared,
        replies: Option<Replies>,
        chunks: Option<Arc<Chunks>>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);

        let Shared { limits, counters, events, tasks, guard, validation, proxies } = shared;
        let at_once = outbox.sends_at_once();
        let proxies = proxies.filter(|_| outbox.transport().local_addr().ip().is_some());

        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            outbox,
            limits,
            counters,
            events,
            ended: Mutex::default(),
            any_ended: AtomicBool::new(false),
            reread: Reread::default(),
            unpolled: AtomicUsize::new(0),
            pulse: Pulse::default(),
            closing: Notify::new(),
            serial: AtomicU64::new(0),
            tasks,
            sends_in_batches: !at_once && replies.is_none(),
            has_store: replies.as_ref().is_some_and(Replies::has_store),
            replies,
            chunks,
            guard,
            validation,
            proxies,
            #[cfg(unix)]
            hand_over: SocketPart::default(),
        }
    }

    /// Reports to the worker that a conversation is over, so that its place becomes free.
    pub(crate) fn ended(&self, peer: Addr, serial: u64) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push((peer, serial));
        self.any_ended.store(true, Ordering::Release);
        self.outbox.signal.wake();
    }

    /// Calls `end` for each conversation that has ended since the last call.
    pub(crate) fn each_ended(&self, mut end: impl FnMut(&Addr, u64)) {
        if self.any_ended.swap(false, Ordering::Acquire) {
            // More than a few at once are rare, so the list does not keep memory for them.
            const KEPT: usize = 256;

            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            for (peer, serial) in ended.drain(..) {
                end(&peer, serial);
            }
            ended.shrink_to(KEPT);
        }
    }

    /// Sends the replies in the batch of this thread, if it is a batch of this socket: what is sent next must not
    /// overtake them.
    pub(crate) fn send_batched(&self) {
        if self.outbox.has_batched() {
            BatchContext::with(self.id, |batch| {
                self.outbox.send_inline(&mut batch.replies);
                Some(())
            });
        }
    }

    /// Asks the worker to read the socket once more; returns the round to wait for.
    pub(crate) fn ask_for_reread(&self, cx: &Context<'_>) -> u64 {
        let round = self.reread.ask(cx);
        self.outbox.signal.wake();
        round
    }

    /// Counts dropped datagrams, and logs the first one for each reason.
    #[cold]
    pub(crate) fn dropped(&self, reason: DropReason, datagrams: u64) {
        self.counters.dropped(reason, datagrams);
        self.events.dropped(reason, self.outbox.transport().local_addr());
    }

    /// Counts a datagram with a header of a proxy that does not count, or without one, and logs the first one.
    #[cold]
    pub(crate) fn refused_proxy(&self, source: &Addr, refusal: &proxy::Refusal) {
        self.counters.dropped(DropReason::ProxyHeader, 1);
        self.events.proxy_refused(self.outbox.transport().local_addr(), source, refusal);
    }

    /// Records a reply before it is sent, if the server has a reply cache. `validated` says whether the address of its
    /// peer is validated.
    #[inline]
    pub(crate) fn record(&self, to: &Addr, reply: &[u8], keep: Keep, validated: bool) -> Recorded {
        match &self.replies {
            Some(replies) => self.record_in(replies, to, reply, keep, validated),
            None => Recorded::default(),
        }
    }

    /// The rules of the guard for a peer that is not validated. Unix sockets are always validated.
    pub(crate) fn rules_for(&self, peer: &Addr) -> Option<Arc<Rules>> {
        peer.ip().and_then(|_| self.guard.rules())
    }

    /// Counts a datagram that the guard has refused, and logs the first one.
    #[cold]
    pub(crate) fn not_sent(&self, to: &Addr, error: &SendError) {
        let counter = match error {
            SendError::OverBudget { .. } => &self.counters.over_budget,
            _ => &self.counters.over_rate,
        };
        add(counter, 1);
        self.events.guarded(to, error);
    }

    /// Sends a reply again with `send`, or its first chunks, and counts that. It answers a datagram of `len` bytes that no
    /// handler receives. If its peer is not validated, that datagram has to pay for it, by the `rules` of the guard.
    pub(crate) fn replay(
        &self,
        to: &Addr,
        reply: &Reply,
        len: usize,
        rules: Option<&Rules>,
        mut send: impl FnMut(&[u8]) -> bool,
    ) {
        let Reply { bytes, packet, validated } = reply;
        if let Some(rules) = rules
            && !validated
            && let Err(error) = rules.pay(len, bytes.len(), to.ip())
        {
            return self.not_sent(to, &error);
        }
        let sent = match self.chunks.as_deref().filter(|chunks| chunks.splits(bytes)) {
            None => send(bytes),
            Some(chunks) => {
                packet.is_some_and(|packet| chunks.first(packet, bytes).all(|chunk| send(&chunk)))
            }
        };
        if sent {
            add(&self.counters.replayed, 1);
        }
    }

    #[cold]
    fn record_in(
        &self,
        replies: &Replies,
        to: &Addr,
        reply: &[u8],
        keep: Keep,
        validated: bool,
    ) -> Recorded {
        let in_chunks = self.chunks.as_ref().is_some_and(|chunks| chunks.splits(reply));
        replies.record(to, reply, keep, in_chunks, validated).unwrap_or_else(|panicked| {
            self.events.error(to, &panicked, "the id of a reply could not be read");
            Recorded::default()
        })
    }

    /// Waits until no call of the reply store runs in the background.
    pub(crate) async fn store_is_idle(&self) {
        if let Some(replies) = &self.replies {
            replies.store_is_idle().await;
        }
    }

    /// Logs and counts the error or panic of a handler.
    pub(crate) fn report(&self, peer: &Addr, error: &BoxError, panicked: bool) {
        let spoken = self.events.error(peer, &**error, "a conversation failed");
        // Counted after logging, because an error that panics while it is formatted counts as a panic.
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
