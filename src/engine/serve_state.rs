//! One serving, as its workers and conversations share it.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use crate::{Addr, events::Scope, serve_guard::ServeGuard};

/// One time of serving: what its workers and conversations share of it.
#[derive(Debug)]
pub(crate) struct ServeState {
    mode: AtomicU8,
    /// Told by each worker that drains and has no conversation.
    pub(crate) silent: Notify,
    /// What was current when `serve` was called.
    scope: Scope,
    /// The server, by its number.
    pub(crate) server: u64,
    /// Whoever has an serve_state is a part of this serving.
    _hold: ServeGuard,
}

/// What workers are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Mode {
    Run,
    /// Hear those who are in conversation, and nobody else.
    Drain,
    /// End all conversations in order.
    Stop,
    /// Do nothing any more: the future of `serve` was dropped.
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
