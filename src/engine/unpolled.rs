//! Conversations that another runtime has not polled yet.

use std::sync::{Arc, atomic::Ordering::AcqRel};

use crate::socket::SocketState;

/// The most conversations that a worker gives to the other runtime before that polls them, and the most when its backlog
/// stands. The rest stays in the backlog, where the order can still change.
pub(super) const MAX: usize = 64;
pub(super) const MAX_STANDING: usize = 8;

/// When so few are left, the worker is woken.
const FEW: usize = 4;

const _: () = assert!(FEW < MAX_STANDING && MAX_STANDING <= MAX);

/// A conversation that was given to another runtime, which has not polled it yet.
#[derive(Debug)]
pub(super) struct Unpolled(Arc<SocketState>);

impl Unpolled {
    pub(super) fn new(socket: &Arc<SocketState>) -> Self {
        socket.unpolled.fetch_add(1, AcqRel);
        Self(Arc::clone(socket))
    }
}

impl Drop for Unpolled {
    fn drop(&mut self) {
        if self.0.unpolled.fetch_sub(1, AcqRel) == FEW {
            self.0.outbox.signal.wake();
        }
    }
}
