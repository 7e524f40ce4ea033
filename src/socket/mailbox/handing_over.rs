//! A mailbox while its server hands over: what its conversation does not receive goes to another process.

use super::{Body, Mailbox, release_all};
use crate::{
    stats::{Counters, DropReason},
    transport::Ancillary,
};

impl Mailbox {
    /// When this conversation ends, no other one opens, and what waits is for [`take_rest`](Self::take_rest).
    pub(crate) fn hand_over(&self) {
        self.lock().handed = true;
    }

    /// Takes what the conversation, which is over, has not received.
    pub(crate) fn take_rest(&self, counters: &Counters) -> Vec<(Ancillary, Body)> {
        let mut rest = Vec::new();
        let mut state = self.lock();
        while let Some(waiting) = state.next_in_queue() {
            release_all(&waiting.1, counters);
            rest.push(waiting);
        }
        drop(state);
        counters.dropped(DropReason::HandedOver, rest.len() as u64);
        rest
    }
}
