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

/// The queue of one conversation: the worker puts datagrams in, and the conversation takes them out. Each is a
/// copy of exactly its own size, so that a small one never pins a large receive buffer.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The datagram that opened the conversation, until it is received.
    opening: Option<Waiting>,
    queue: VecDeque<Waiting>,
    bytes: usize,
    waker: Option<Waker>,
    closed: bool,
    over: bool,
}

/// An empty queue keeps room for so many datagrams: one burst of the usual size.
const KEPT: usize = 16;

/// A datagram and its ancillary data.
type Waiting = (Ancillary, Box<[u8]>);

/// The outcome for a datagram that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It waits. Older ones that were dropped in its favour are counted.
    Accepted,
    /// It was dropped. The caller counts it.
    Dropped(DropReason),
    /// The conversation is over: this datagram may open the next.
    Over,
}

/// What follows a conversation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another one, opened by the datagram that has waited longest, with this ancillary data.
    Conversation(Ancillary),
    /// No conversation.
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

    /// Queues a copy of `datagram`, if the limits allow it.
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
            // Not even an empty queue could take it, so no older one is dropped for it.
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

    /// Refuses further datagrams and drops those that wait: `recv` returns `Closed` from now on.
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

    /// Whether `recv` returns `Closed`, once it has returned what is there.
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

    /// Ends a conversation that was dropped, and drops what waited for it.
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
    /// Takes the oldest datagram out of the queue. Memory is given back before more than 5 of 8 places are empty, so
    /// that what a queue takes is bounded by what waits in it.
    fn pop(&mut self) -> Option<Waiting> {
        let next = self.queue.pop_front()?;
        self.bytes -= next.1.len();
        let (used, room) = (self.queue.len(), self.queue.capacity());
        if room > KEPT && 8 * used < 3 * room {
            // Moved, not shrunk in place: an allocator keeps the piece that is cut off apart from its neighbours.
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

/// How much memory a datagram that waits takes beyond its bytes, at most: its place in a queue of which 5 of 8 may
/// be empty, and what an allocator adds. So the limit on bytes is a limit on memory.
pub(crate) const OVERHEAD: usize = 160;

const _: () = assert!(8 * size_of::<Waiting>() / 3 + 32 <= OVERHEAD);

/// Reserves memory for a datagram of so many bytes; false if no more may wait.
pub(crate) fn reserve(bytes: usize, limits: &Limits, counters: &Counters) -> bool {
    let reserved = |waiting: usize| {
        Some(waiting + bytes + OVERHEAD).filter(|sum| *sum <= limits.max_total_queue_bytes)
    };
    counters.queued_bytes.fetch_update(Relaxed, Relaxed, reserved).is_ok()
}

/// Gives the memory back.
pub(crate) fn release(bytes: usize, counters: &Counters) {
    counters.queued_bytes.fetch_sub(bytes + OVERHEAD, Relaxed);
}

#[cfg(test)]
mod tests;
