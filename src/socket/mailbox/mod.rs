//! The datagrams that wait for one conversation.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
};

use crate::{
    limits::{Limits, Overflow},
    stats::{Counters, DropReason},
    transport::Ancillary,
};

/// What waits for one conversation: shared by the worker, which puts datagrams in, and the
/// conversation, which takes them out. Each waiting datagram is a copy of exactly its own size, so
/// that a small one never pins a large receive buffer.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The datagram that opened the conversation, as long as nobody has received it.
    opening: Option<Waiting>,
    queue: VecDeque<Waiting>,
    bytes: usize,
    waker: Option<Waker>,
    closed: bool,
    over: bool,
}

/// Room for so many datagrams a queue keeps: what one burst of the usual size needs.
const KEPT: usize = 16;

/// A datagram, and what was told beside it.
type Waiting = (Ancillary, Box<[u8]>);

/// What became of a datagram that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It waits. Older ones that were dropped in its favour are counted.
    Accepted,
    /// It was dropped, which is still to be counted.
    Dropped(DropReason),
    /// The conversation is over: this datagram may open the next.
    Over,
}

/// How a conversation is followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// By another one, opened by the datagram that has waited longest, beside which this was told.
    Conversation(Ancillary),
    /// By silence.
    Nothing,
}

impl Mailbox {
    /// Keeps a copy of the datagram that opened the conversation; false if no more bytes may wait.
    pub(crate) fn open(
        &self,
        ancillary: Ancillary,
        datagram: &[u8],
        limits: &Limits,
        counters: &Counters,
    ) -> bool {
        let reserved = reserve(datagram.len(), limits, counters);
        if reserved {
            self.lock().opening = Some((ancillary, datagram.into()));
        }
        reserved
    }

    /// Lets `datagram` wait, if the bounds allow it.
    pub(crate) fn offer(
        &self,
        ancillary: Ancillary,
        datagram: &[u8],
        limits: &Limits,
        counters: &Counters,
    ) -> Offer {
        let mut state = self.lock();
        if state.over {
            return Offer::Over;
        }
        if state.closed {
            return Offer::Dropped(DropReason::ShuttingDown);
        }
        if limits.max_queue_len == 0 || datagram.len() > limits.max_queue_bytes {
            // Not even an empty queue could take it, so none that waits gives way to it.
            return Offer::Dropped(DropReason::QueueFull);
        }
        while state.queue.len() >= limits.max_queue_len
            || state.bytes + datagram.len() > limits.max_queue_bytes
        {
            if limits.overflow == Overflow::DropNewest || !state.drop_oldest(counters) {
                return Offer::Dropped(DropReason::QueueFull);
            }
        }
        if !reserve(datagram.len(), limits, counters) {
            return Offer::Dropped(DropReason::MemoryLimit);
        }
        state.bytes += datagram.len();
        state.queue.push_back((ancillary, datagram.into()));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Offer::Accepted
    }

    /// Takes the next datagram, `None` once the mailbox is closed.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, counters: &Counters) -> Poll<Option<Waiting>> {
        let mut state = self.lock();
        if let Some(datagram) = state.take(counters) {
            return Poll::Ready(Some(datagram));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => state.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Lets nothing more in and drops what waits: `recv` says `Closed` from now on.
    pub(crate) fn close(&self, counters: &Counters) {
        let mut state = self.lock();
        state.closed = true;
        state.discard(counters);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether `recv` says `Closed`, once it has returned what is there.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Ends a conversation whose handler has returned, and has put a packet back for the next one. False if
    /// there is none, since serving ends.
    pub(crate) fn finish_with_more(&self, counters: &Counters) -> bool {
        let mut state = self.lock();
        if !state.closed {
            state.waker = None;
            state.drop_unread(counters);
        }
        !state.closed
    }

    /// Ends a conversation whose handler has returned.
    pub(crate) fn finish(&self, counters: &Counters) -> Next {
        let mut state = self.lock();
        state.waker = None;
        state.drop_unread(counters);
        // From opening to queue and back: its bytes stay reserved all the while.
        let Some((ancillary, opening)) = state.pop() else {
            state.over = true;
            return Next::Nothing;
        };
        state.opening = Some((ancillary, opening));
        Next::Conversation(ancillary)
    }

    /// Ends a conversation that was dropped, with all that waited for it.
    pub(crate) fn abandon(&self, counters: &Counters) {
        let mut state = self.lock();
        state.over = true;
        state.discard(counters);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes what has waited longest out of the queue. Room goes back before more than 5 of 8 places are
    /// empty: a queue need not run empty for that, and who has it is bound by what waits.
    fn pop(&mut self) -> Option<Waiting> {
        let next = self.queue.pop_front()?;
        self.bytes -= next.1.len();
        let (used, room) = (self.queue.len(), self.queue.capacity());
        if room > KEPT && 8 * used < 3 * room {
            // Moved, not cut off: an allocator keeps what is cut off apart from its neighbours.
            let mut queue = VecDeque::with_capacity(KEPT.max(room / 2));
            queue.append(&mut self.queue);
            self.queue = queue;
        }
        Some(next)
    }

    fn take(&mut self, counters: &Counters) -> Option<Waiting> {
        let taken = match self.opening.take() {
            Some(opening) => opening,
            None => self.pop()?,
        };
        release(taken.1.len(), counters);
        Some(taken)
    }

    fn drop_unread(&mut self, counters: &Counters) {
        if let Some((_, opening)) = self.opening.take() {
            release(opening.len(), counters);
            counters.dropped(DropReason::Unread, 1);
        }
    }

    fn drop_oldest(&mut self, counters: &Counters) -> bool {
        let Some((_, oldest)) = self.pop() else { return false };
        release(oldest.len(), counters);
        counters.dropped(DropReason::QueueFull, 1);
        true
    }

    fn discard(&mut self, counters: &Counters) {
        let queue = mem::take(&mut self.queue);
        self.bytes = 0;
        let mut dropped = 0;
        for (_, datagram) in self.opening.take().into_iter().chain(queue) {
            release(datagram.len(), counters);
            dropped += 1;
        }
        counters.dropped(DropReason::ShuttingDown, dropped);
    }
}

/// What a datagram that waits takes beside its bytes, at most: its place in a queue of which 5 of 8 may be
/// empty, and what an allocator adds. So the bound of all bytes is one of memory.
pub(crate) const OVERHEAD: usize = 160;

const _: () = assert!(8 * size_of::<Waiting>() / 3 + 32 <= OVERHEAD);

/// Takes room for a datagram of so many bytes; false if no more may wait.
pub(crate) fn reserve(bytes: usize, limits: &Limits, counters: &Counters) -> bool {
    let reserved = |waiting: usize| {
        Some(waiting + bytes + OVERHEAD).filter(|sum| *sum <= limits.max_queued_bytes)
    };
    counters.queued_bytes.fetch_update(Relaxed, Relaxed, reserved).is_ok()
}

/// Gives the room back.
pub(crate) fn release(bytes: usize, counters: &Counters) {
    counters.queued_bytes.fetch_sub(bytes + OVERHEAD, Relaxed);
}

#[cfg(test)]
mod tests;
