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
    pub(super) fn is_closed(&self) -> bool {
        self.closed || self.sealed && !self.has_next()
    }

    /// Whether a datagram waits.
    pub(super) fn has_next(&self) -> bool {
        self.opening.is_some() || self.asked.is_some() || !self.queue.is_empty()
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::{super::tests::Post, *};
    use crate::Limits;

    //
    #[test]
    fn a_packet_that_was_put_back_opens_the_next_conversation_unless_serving_ends() {
        let post = Post::within(Limits::default());
        post.open("a");
        post.offer("b");
        post.mailbox.set_junk(true);

        assert!(post.mailbox.finish_with_more(&post.counters));
        assert!(!post.mailbox.is_junk() && !post.mailbox.is_unread());
        assert_eq!(post.counters.read().dropped(DropReason::Unread), 1);
        assert!(!post.mailbox.drops_put_back());

        post.mailbox.close(&post.counters);

        assert!(post.mailbox.drops_put_back());
        assert!(!post.mailbox.finish_with_more(&post.counters));
        assert_eq!(post.waiting_bytes(), 0);
    }

    // R-11, L-10, Q-18
    #[test]
    fn a_sealed_mailbox_gives_what_waits_and_then_is_closed() {
        let post = Post::within(Limits::default());
        let cx = Context::from_waker(Waker::noop());
        post.open("a");
        post.offer("b");
        assert!(!post.mailbox.is_sealed());

        post.mailbox.seal();

        assert!(post.mailbox.is_sealed());
        for _ in 0..2 {
            assert!(!post.mailbox.is_closed());
            // It waits also while the reply store is asked about it.
            let Poll::Ready(Some(asked)) = post.mailbox.poll_ask(&cx) else { panic!("it waits") };
            assert!(post.mailbox.put_back(asked, &cx, &post.counters));
            assert!(!post.mailbox.is_closed());
            let Poll::Ready(Some(asked)) = post.mailbox.poll_ask(&cx) else { panic!("it waits") };
            asked.released(&post.counters);
        }
        assert!(post.mailbox.is_closed() && !post.mailbox.drops_put_back());
        assert!(matches!(post.mailbox.poll_take(&cx, &post.counters), Poll::Ready(None)));
    }
}
