//! The datagrams that wait for one conversation.

mod asked;
mod body;
mod closing;
#[cfg(unix)]
mod handing_over;
mod late;
mod memory;
mod next;

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

pub(crate) use asked::Asked;
pub(crate) use body::{Body, Waiting};
#[cfg(test)]
pub(crate) use memory::OVERHEAD;
pub(crate) use memory::{release, release_all, reserve, reserve_all, reserve_anyway};

use crate::{
    Addr,
    limits::{LiveLimits, Overflow},
    stats::{Counters, DropReason},
    transport::{Ancillary, Passed},
};

/// The queue of one conversation: the worker puts datagrams in, and the conversation takes them out. Each
/// datagram is a copy of exactly its own size, so that a small one never keeps a large receive buffer in
/// memory.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    /// Whether only datagrams that did not decode were received.
    junk: AtomicBool,
    /// Whether a datagram was offered since the last look.
    touched: AtomicBool,
    /// Whether the conversation has lost its place to another one.
    evicted: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The datagram that opened the conversation, until it is received.
    opening: Option<Waiting>,
    /// The oldest datagram of the queue, while the reply store is asked about it.
    asked: Option<Box<Waiting>>,
    queue: VecDeque<Waiting>,
    bytes: usize,
    waker: Option<Waker>,
    /// Whether no more datagrams come.
    sealed: bool,
    /// Whether nothing is received any more.
    closed: bool,
    over: bool,
    /// Whether another process gets what is not received.
    handed: bool,
    /// How many datagrams the reply store knew since the limit of a `recv` was over.
    late: u32,
}

/// An empty queue keeps memory for this many datagrams: one burst of the usual size.
const KEPT: usize = 16;

/// The result of [`Mailbox::offer`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// The datagram waits. Older ones that were dropped to make room are already counted.
    Accepted,
    /// The datagram was dropped. The caller counts it.
    Dropped(DropReason),
    /// The conversation is over, so this datagram may open the next one.
    Over,
}

/// What follows a conversation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another conversation, opened by the datagram that has waited longest, with this ancillary data.
    Conversation(Ancillary),
    /// No conversation.
    Nothing,
}

impl Mailbox {
    /// Keeps a copy of the datagram that opened the conversation, and what came with it.
    ///
    /// # Errors
    ///
    /// Returns the reason to drop it if no more bytes or descriptors may wait.
    pub(crate) fn open(
        &self,
        ancillary: Ancillary,
        datagram: &[u8],
        passed: Option<Box<Passed>>,
        limits: &LiveLimits,
        counters: &Counters,
    ) -> Result<(), DropReason> {
        reserve_all(datagram, passed.as_deref(), limits, counters)?;
        self.lock().opening = Some((ancillary, Body::new(datagram, passed)));
        Ok(())
    }

    /// Queues a copy of `datagram`, if the limits allow it. Then it also takes what came with it.
    pub(crate) fn offer(
        &self,
        ancillary: Ancillary,
        datagram: &[u8],
        passed: &mut Option<Box<Passed>>,
        limits: &LiveLimits,
        counters: &Counters,
    ) -> Offer {
        let mut state = self.lock();
        if state.over {
            return Offer::Over;
        }
        if (state.closed || state.sealed) && !state.handed {
            return Offer::Dropped(DropReason::ShuttingDown);
        }
        if limits.max_queue_len() == 0 || datagram.len() > limits.max_queue_bytes() {
            // Even an empty queue could not take it, so there is no reason to drop older ones.
            return Offer::Dropped(DropReason::QueueFull);
        }
        while state.queue.len() >= limits.max_queue_len()
            || state.bytes + datagram.len() > limits.max_queue_bytes()
        {
            if limits.overflow() == Overflow::DropNewest || !state.drop_oldest(counters) {
                return Offer::Dropped(DropReason::QueueFull);
            }
        }
        if let Err(reason) = reserve_all(datagram, passed.as_deref(), limits, counters) {
            return Offer::Dropped(reason);
        }
        self.touched.store(true, Relaxed);
        state.bytes += datagram.len();
        state.queue.push_back((ancillary, Body::new(datagram, passed.take())));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Offer::Accepted
    }

    /// Takes the next datagram; returns `None` once the mailbox is closed.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, counters: &Counters) -> Poll<Option<Waiting>> {
        let mut state = self.lock();
        if let Some(datagram) = state.take(counters) {
            return Poll::Ready(Some(datagram));
        }
        state.poll_closed(cx)
    }

    /// Ends a conversation whose handler has returned and has put back a packet for the next conversation.
    /// Returns false if there is no next one, because serving ends.
    pub(crate) fn finish_with_more(&self, counters: &Counters) -> bool {
        self.junk.store(false, Relaxed);
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.waker = None;
        let unread = state.take_unread(counters);
        drop(state);
        drop(unread);
        true
    }

    /// Ends a conversation whose handler has returned.
    pub(crate) fn finish(&self, counters: &Counters) -> Next {
        self.junk.store(false, Relaxed);
        let mut state = self.lock();
        state.waker = None;
        let unread = state.take_unread(counters);
        // The datagram moves from the queue to `opening`: its bytes stay reserved.
        state.opening = if state.handed { None } else { state.next_in_queue() };
        state.over = state.opening.is_none();
        let next = match &state.opening {
            Some((ancillary, _)) => Next::Conversation(*ancillary),
            None => Next::Nothing,
        };
        drop(state);
        drop(unread);
        next
    }

    /// Ends a conversation that was dropped, and drops the datagrams that waited for it.
    pub(crate) fn abandon(&self, counters: &Counters) {
        let mut state = self.lock();
        state.over = true;
        let reason = if self.is_evicted() {
            DropReason::ConversationLimit
        } else {
            DropReason::ShuttingDown
        };
        let discarded = state.discard(reason, counters);
        drop(state);
        drop(discarded);
    }

    /// Notes whether the conversation has received only datagrams that did not decode.
    #[cold]
    pub(crate) fn set_junk(&self, junk: bool) {
        self.junk.store(junk, Relaxed);
    }

    pub(crate) fn is_junk(&self) -> bool {
        self.junk.load(Relaxed)
    }

    /// The conversation has lost its place to another one.
    #[cold]
    pub(crate) fn evict(&self) {
        self.evicted.store(true, Relaxed);
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.evicted.load(Relaxed)
    }

    /// Whether a datagram has arrived since the last call.
    pub(crate) fn take_touched(&self) -> bool {
        self.touched.swap(false, Relaxed)
    }

    /// The source of the datagram that opens the conversation, if it is kept.
    pub(crate) fn opening_source(&self) -> Option<Addr> {
        self.lock().opening.as_ref().and_then(|(_, datagram)| datagram.source().cloned())
    }

    /// Whether the datagram that opened the conversation was not received yet.
    pub(crate) fn is_unread(&self) -> bool {
        self.lock().opening.is_some()
    }

    /// Whether the conversation waits for a datagram, and none is there.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.waker.is_some()
            && state.opening.is_none()
            && state.asked.is_none()
            && state.queue.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the oldest datagram out of the queue. It frees memory before more than 5 of 8 places are empty,
    /// so that the datagrams that wait in a queue limit the memory of the queue.
    fn pop(&mut self) -> Option<Waiting> {
        let next = self.queue.pop_front()?;
        self.bytes -= next.1.len();
        let (used, room) = (self.queue.len(), self.queue.capacity());
        if room > KEPT && 8 * used < 3 * room {
            // A new queue instead of `shrink_to`: an allocator that shrinks in place does not join the piece
            // that it cuts off with its neighbours.
            let mut queue = VecDeque::with_capacity(KEPT.max(room / 2));
            queue.append(&mut self.queue);
            self.queue = queue;
        }
        Some(next)
    }

    fn take(&mut self, counters: &Counters) -> Option<Waiting> {
        let taken = match self.opening.take() {
            Some(opening) => opening,
            // Another process gets what is left.
            None if self.closed => return None,
            None => self.pop()?,
        };
        release_all(&taken.1, counters);
        Some(taken)
    }

    /// Takes and counts the datagram that opened the conversation, if it was not received. The caller drops it without
    /// the lock, because of its ticket.
    #[must_use]
    fn take_unread(&mut self, counters: &Counters) -> Option<Waiting> {
        let unread = self.opening.take()?;
        release_all(&unread.1, counters);
        counters.dropped(DropReason::Unread, 1);
        Some(unread)
    }

    fn drop_oldest(&mut self, counters: &Counters) -> bool {
        let Some((_, oldest)) = self.pop() else { return false };
        release_all(&oldest, counters);
        counters.dropped(DropReason::QueueFull, 1);
        true
    }

    /// Takes and counts all datagrams, unless another process gets them. The caller drops them without the lock, because of their tickets.
    #[must_use]
    fn discard(
        &mut self,
        reason: DropReason,
        counters: &Counters,
    ) -> ([Option<Waiting>; 2], VecDeque<Waiting>) {
        let opening = self.opening.take();
        let (asked, queue) = if self.handed {
            Default::default()
        } else {
            self.bytes = 0;
            (self.asked.take(), mem::take(&mut self.queue))
        };
        let first = [opening, asked.map(|asked| *asked)];
        let mut dropped = 0;
        for (_, datagram) in first.iter().flatten().chain(&queue) {
            release_all(datagram, counters);
            dropped += 1;
        }
        counters.dropped(reason, dropped);
        (first, queue)
    }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
