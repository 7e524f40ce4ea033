//! The next datagram of a mailbox, while the reply store is asked about it.

use std::task::{Context, Poll};

use super::{Mailbox, State, Waiting, release_all};
use crate::{
    reply_cache::Ticket,
    stats::{Counters, DropReason},
};

/// A datagram that was taken out of a mailbox. Its memory stays reserved.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) waiting: Waiting,
    /// Whether it opens the conversation.
    pub(crate) is_opening: bool,
}

impl Asked {
    /// Its ticket and its bytes; `None` if the reply cache does not know it.
    pub(crate) fn ticket(&mut self) -> Option<(&mut Ticket, &[u8])> {
        self.waiting.1.ticket()
    }

    /// Releases its memory, because it is received or dropped.
    pub(crate) fn released(self, counters: &Counters) -> Waiting {
        release_all(&self.waiting.1, counters);
        self.waiting
    }
}

impl Mailbox {
    /// Takes the next datagram, so that the reply store can be asked about it without the lock. Returns `None` once the
    /// mailbox is closed.
    pub(crate) fn poll_ask(&self, cx: &Context<'_>) -> Poll<Option<Asked>> {
        let mut state = self.lock();
        if let Some(waiting) = state.opening.take() {
            return Poll::Ready(Some(Asked { waiting, is_opening: true }));
        }
        if !state.closed
            && let Some(waiting) = state.next_in_queue()
        {
            return Poll::Ready(Some(Asked { waiting, is_opening: false }));
        }
        state.poll_closed(cx)
    }

    /// Puts a datagram back where it was. Returns false if it was dropped instead, because the mailbox is closed.
    pub(crate) fn put_back(&self, asked: Asked, cx: &Context<'_>, counters: &Counters) -> bool {
        let mut state = self.lock();
        if state.closed {
            if state.handed && !asked.is_opening {
                state.asked = Some(Box::new(asked.waiting));
                return false;
            }
            drop(state);
            drop(asked.released(counters));
            counters.dropped(DropReason::ShuttingDown, 1);
            return false;
        }
        state.wait(cx);
        let Asked { waiting, is_opening } = asked;
        if is_opening {
            state.opening = Some(waiting);
        } else {
            state.asked = Some(Box::new(waiting));
        }
        true
    }

    /// A datagram was dropped because the reply store knew it, and the limit of the `recv` is over. Returns how many that
    /// were.
    pub(crate) fn dropped_late(&self) -> usize {
        let mut state = self.lock();
        state.late += 1;
        state.late as usize
    }

    /// A datagram is received, or a `recv` ends.
    pub(crate) fn reset_late(&self) {
        self.lock().late = 0;
    }

    /// Whether the reply store is asked about the next datagram of the queue.
    pub(crate) fn is_asked(&self) -> bool {
        self.lock().asked.is_some()
    }
}

impl State {
    /// Takes the next datagram that has not opened a conversation.
    pub(super) fn next_in_queue(&mut self) -> Option<Waiting> {
        self.asked.take().map(|asked| *asked).or_else(|| self.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn duplicates_after_the_limit_of_a_recv_are_counted_until_it_ends() {
        let mailbox = Mailbox::default();
        assert_eq!([(); 3].map(|()| mailbox.dropped_late()), [1, 2, 3]);

        mailbox.reset_late();

        assert_eq!(mailbox.dropped_late(), 1);
    }
}
