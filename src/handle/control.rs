//! What of a server can change while it serves.

use std::sync::Arc;

use crate::{Chunked, Guard, Limits, ReplyCache, guard::Watch, limits::LiveLimits};

/// What a handle can change.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) limits: Arc<LiveLimits>,
    pub(crate) guard: Arc<Watch>,
    /// Limits must leave room for packets in chunks.
    pub(super) chunked: Option<(Chunked, ReplyCache)>,
}

impl Control {
    pub(crate) fn new(
        limits: &Limits,
        guard: Option<Guard>,
        chunked: Option<&Chunked>,
        cache: &ReplyCache,
    ) -> Self {
        let chunked = chunked.map(|chunked| (chunked.clone(), cache.clone()));
        let limits = Arc::new(LiveLimits::new(limits));
        let control = Self { limits, guard: Arc::default(), chunked };
        control.set_guard(guard);
        control
    }

    /// Replaces the guard.
    pub(super) fn set_guard(&self, guard: Option<Guard>) {
        let queue_time = guard.as_ref().and_then(Guard::get_max_queue_time);
        self.limits.queue_time().set_guard(queue_time);
        self.guard.set(guard);
    }
}
