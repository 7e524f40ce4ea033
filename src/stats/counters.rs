//! The counters of a server, as its workers and conversations write them.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use super::{DropReason, ServerStats, add, batches::BatchCounters};

/// The counters of a [`ServerStats`]. A worker adds the sums of each batch once.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) received: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) decode_errors: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) send_errors: AtomicU64,
    pub(crate) send_timeouts: AtomicU64,
    pub(crate) over_budget: AtomicU64,
    pub(crate) over_rate: AtomicU64,
    pub(crate) challenges: AtomicU64,
    pub(crate) replayed: AtomicU64,
    pub(crate) reply_cache_evictions: AtomicU64,
    pub(crate) store_errors: AtomicU64,
    pub(crate) store_timeouts: AtomicU64,
    pub(crate) store_skipped: AtomicU64,
    pub(crate) chunks: AtomicU64,
    pub(crate) incomplete: AtomicU64,
    pub(crate) waited: AtomicU64,
    pub(crate) waited_micros: AtomicU64,
    pub(crate) spawned: AtomicU64,
    pub(crate) conversations: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) aborted: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) idle_timeouts: AtomicU64,
    pub(crate) stalls: AtomicU64,
    pub(crate) suppressed_events: AtomicU64,
    pub(crate) active_conversations: AtomicUsize,
    pub(crate) queued_bytes: AtomicUsize,
    pub(crate) queued_fds: AtomicUsize,
    batches: BatchCounters,
    dropped: [AtomicU64; DropReason::ALL.len()],
}

impl Counters {
    pub(crate) fn dropped(&self, reason: DropReason, datagrams: u64) {
        add(&self.dropped[reason as usize], datagrams);
    }

    /// Counts a datagram that has waited for a handler.
    pub(crate) fn waited(&self, time: Duration) {
        add(&self.waited, 1);
        add(&self.waited_micros, time.as_micros() as u64);
    }

    /// Counts a batch of this many datagrams, at least one.
    pub(crate) fn batch(&self, datagrams: usize) {
        self.batches.count(datagrams);
    }

    pub(crate) fn read(&self) -> ServerStats {
        ServerStats {
            received: self.received.load(Relaxed),
            received_bytes: self.received_bytes.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            decode_errors: self.decode_errors.load(Relaxed),
            sent: self.sent.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            send_errors: self.send_errors.load(Relaxed),
            send_timeouts: self.send_timeouts.load(Relaxed),
            over_budget: self.over_budget.load(Relaxed),
            over_rate: self.over_rate.load(Relaxed),
            challenges: self.challenges.load(Relaxed),
            replayed: self.replayed.load(Relaxed),
            reply_cache_evictions: self.reply_cache_evictions.load(Relaxed),
            store_errors: self.store_errors.load(Relaxed),
            store_timeouts: self.store_timeouts.load(Relaxed),
            store_skipped: self.store_skipped.load(Relaxed),
            chunks: self.chunks.load(Relaxed),
            incomplete: self.incomplete.load(Relaxed),
            waited: self.waited.load(Relaxed),
            waited_micros: self.waited_micros.load(Relaxed),
            spawned: self.spawned.load(Relaxed),
            conversations: self.conversations.load(Relaxed),
            failed: self.failed.load(Relaxed),
            panicked: self.panicked.load(Relaxed),
            aborted: self.aborted.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
            idle_timeouts: self.idle_timeouts.load(Relaxed),
            stalls: self.stalls.load(Relaxed),
            suppressed_events: self.suppressed_events.load(Relaxed),
            active_conversations: self.active_conversations.load(Relaxed),
            queued_bytes: self.queued_bytes.load(Relaxed),
            batches: self.batches.read(),
            dropped: self.dropped.each_ref().map(|dropped| dropped.load(Relaxed)),
        }
    }
}

impl Counters {
    /// Counts datagrams that were sent, and their bytes.
    pub(crate) fn sent(&self, datagrams: usize, bytes: usize) {
        add(&self.sent, datagrams as u64);
        add(&self.sent_bytes, bytes as u64);
    }
}
