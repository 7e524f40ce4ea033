//! Conversations that wait for another runtime to begin.

use std::sync::{Arc, atomic::Ordering::AcqRel};

use crate::socket::SocketState;

/// When so few are left, the worker may go on.
const FEW: usize = 4;

/// A conversation that was given to another runtime, which has not begun it yet.
#[derive(Debug)]
pub(super) struct Unbegun(Arc<SocketState>);

impl Unbegun {
    pub(super) fn new(socket: &Arc<SocketState>) -> Self {
        socket.unbegun.fetch_add(1, AcqRel);
        Self(Arc::clone(socket))
    }
}

impl Drop for Unbegun {
    fn drop(&mut self) {
        if self.0.unbegun.fetch_sub(1, AcqRel) == FEW {
            self.0.outbox.signal.wake();
        }
    }
}
