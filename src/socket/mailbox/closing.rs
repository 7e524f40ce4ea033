//! How a mailbox learns that serving ends.

use std::task::{Context, Poll};

use super::{Mailbox, State};
use crate::stats::{Counters, DropReason};

impl Mailbox {
    /// Refuses further datagrams: once nothing waits, `recv` returns `Closed`.
    pub(crate) fn seal(&self) {
        let mut state = self.lock();
        state.sealed = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Refuses further datagrams and drops those that wait: `recv` returns `Closed` from now on.
    pub(crate) fn close(&self, counters: &Counters) {
        let mut state = self.lock();
        state.closed = true;
        let discarded = state.discard(DropReason::ShuttingDown, counters);
        let waker = state.waker.take();
        drop(state);
        drop(discarded);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether `recv` returns `Closed`.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// Whether no more datagrams come.
    pub(crate) fn is_sealed(&self) -> bool {
        let state = self.lock();
        state.sealed || state.closed
    }

    /// Whether a packet that was put back is not received any more.
    pub(crate) fn drops_put_back(&self) -> bool {
        self.lock().closed
    }
}

impl State {
    /// Whether nothing waits and nothing comes.
    fn is_closed(&self) -> bool {
        let waits = || self.opening.is_some() || self.asked.is_some() || !self.queue.is_empty();
        self.closed || self.sealed && !waits()
    }

    /// Completes once the mailbox is closed.
    pub(super) fn poll_closed<T>(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        if self.is_closed() {
            return Poll::Ready(None);
        }
        self.wait(cx);
        Poll::Pending
    }

    /// Wakes `cx` when a datagram comes or when the mailbox is closed.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }
}
