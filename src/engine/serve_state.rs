//! One serving, as its workers and conversations share it.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use crate::{Addr, events::Scope, serve_guard::ServeGuard};

/// One serving. Its workers and conversations share this.
#[derive(Debug)]
pub(crate) struct ServeState {
    mode: AtomicU8,
    /// Notified by each worker that drains and has no conversation.
    pub(crate) silent: Notify,
    /// The span that was current when `serve` was called.
    scope: Scope,
    /// The number of the server.
    pub(crate) server: u64,
    /// This serving lasts as long as anything holds its `ServeState`.
    _hold: ServeGuard,
}

/// The task of the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Mode {
    Run,
    /// Receive from peers in conversation only.
    Drain,
    /// End all conversations in order.
    Stop,
    /// Stop at once: the future of `serve` was dropped.
    Abandon,
}

impl ServeState {
    pub(crate) fn new(scope: Scope, server: u64, guard: ServeGuard) -> Self {
        let mode = AtomicU8::new(Mode::Run as u8);
        Self { mode, silent: Notify::new(), scope, server, _hold: guard }
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            0 => Mode::Run,
            1 => Mode::Drain,
            2 => Mode::Stop,
            _ => Mode::Abandon,
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.fetch_max(mode as u8, Ordering::AcqRel);
    }

    /// The span of a conversation with `peer`.
    #[inline(always)]
    pub(crate) fn conversation(&self, peer: &Addr) -> Scope {
        self.scope.conversation(peer)
    }
}
