//! What the calls of a session store have come to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the calls of [`Sessions`](super::Sessions) have come to, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SessionStats {
    /// Calls of the store. Each is one round trip, or a few where the page of the store says so.
    pub calls: u64,
    /// Calls that returned an error.
    pub errors: u64,
    /// Calls that took too long.
    pub timeouts: u64,
    /// States that were not stored or removed, because somebody else had been faster.
    pub conflicts: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    calls: AtomicU64,
    errors: AtomicU64,
    timeouts: AtomicU64,
    conflicts: AtomicU64,
}

impl Counters {
    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    pub(super) fn timed_out(&self) {
        self.timeouts.fetch_add(1, Relaxed);
    }

    pub(super) fn conflicted(&self) {
        self.conflicts.fetch_add(1, Relaxed);
    }

    pub(super) fn stats(&self) -> SessionStats {
        SessionStats {
            calls: self.calls.load(Relaxed),
            errors: self.errors.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
        }
    }
}
