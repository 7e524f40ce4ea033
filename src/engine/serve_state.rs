//! The state of one run of a server, which its workers and conversations share.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use crate::{Addr, events::Scope, serve_guard::ServeGuard};

/// The state of one serving: from one call of `serve` to its end. Its workers and conversations share this.
#[derive(Debug)]
pub(crate) struct ServeState {
    mode: AtomicU8,
    /// Notified by each worker that drains and has neither conversations nor a backlog.
    pub(crate) silent: Notify,
    /// The span that was current when `serve` was called.
    scope: Scope,
    /// The number of the server.
    pub(crate) server: u64,
    /// The serving lasts as long as a clone of its `Arc<ServeState>` exists.
    _hold: ServeGuard,
}

/// What the workers have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Mode {
    Run,
    /// Receive only from peers that are in conversation.
    Drain,
    /// Receive nothing more from the socket, and let conversations go on with what another process receives.
    HandOver,
    /// Receive nothing more, and serve what was received.
    Finish,
    /// Close all conversations and give their handlers time to finish.
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
            2 => Mode::HandOver,
            3 => Mode::Finish,
            4 => Mode::Stop,
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
