//! The next datagram of a mailbox, before it is received.

use std::task::{Context, Poll};

use super::{Mailbox, Waiting, release_all};
use crate::stats::Counters;

impl Mailbox {
    /// Completes with true if a datagram waits, and with false once the mailbox is closed. Also wakes `cx` when it is closed
    /// while a datagram waits.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.is_closed() {
            return Poll::Ready(false);
        }
        state.wait(cx);
        if state.has_next() { Poll::Ready(true) } else { Poll::Pending }
    }

    /// Nothing waits for a datagram any more.
    pub(crate) fn stop_waiting(&self) {
        self.lock().waker = None;
    }

    /// Whether a datagram waits.
    pub(crate) fn has_next(&self) -> bool {
        self.lock().has_next()
    }

    /// Takes the next datagram, which is not received. The caller drops it without the lock, because of its ticket, and
    /// counts it.
    #[must_use]
    pub(crate) fn take_next(&self, counters: &Counters) -> Option<Waiting> {
        let mut state = self.lock();
        let next = state.opening.take().or_else(|| state.next_in_queue())?;
        release_all(&next.1, counters);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::{
        super::tests::{Post, text},
        *,
    };
    use crate::{Limits, stats::DropReason};

    // O-40
    #[test]
    fn the_next_datagram_can_be_waited_for_and_taken_without_receiving_it() {
        let post = Post::within(Limits::default());
        let cx = Context::from_waker(Waker::noop());
        assert!(post.mailbox.poll_next(&cx).is_pending());

        post.offer("one");
        post.offer("two");
        assert_eq!(post.mailbox.poll_next(&cx), Poll::Ready(true));
        let next = || post.mailbox.take_next(&post.counters).map(text);
        assert_eq!(next().unwrap(), "one");
        assert_eq!(next().unwrap(), "two");
        assert_eq!(next(), None);
        assert!(!post.mailbox.has_next());
        assert_eq!(post.counters.read().queued_bytes, 0);

        post.offer("three");
        post.mailbox.close(&post.counters);
        assert_eq!(post.mailbox.poll_next(&cx), Poll::Ready(false));
        assert_eq!(post.counters.read().dropped(DropReason::ShuttingDown), 1);
    }
}
