//! Limits how long datagrams wait for room in the kernel.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Sleep, sleep_until};

use crate::socket::outbox::Outbox;

/// Drops datagrams that have waited too long for room. It resets one timer, which is cheaper than a new timer
/// for each datagram.
#[derive(Debug, Default)]
pub(super) struct SendDeadline(Option<Pin<Box<Sleep>>>);

impl SendDeadline {
    /// Sends the datagrams that the kernel has room for, and drops those that have waited too long.
    pub(super) fn attend(&mut self, outbox: &Outbox, cx: &mut Context<'_>) {
        while outbox.poll_flush(cx).is_pending() {
            let Some(deadline) = outbox.deadline() else { return };
            let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx) == Poll::Pending {
                return;
            }
            outbox.expire();
        }
    }
}
