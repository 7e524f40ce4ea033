//! The batch that a worker lends to the conversation it polls inline.
//!
//! A conversation that finishes at its first poll receives its datagram directly from the receive batch. It
//! puts its replies into the send batch. Neither needs a lock or a copy. Both batches are in a
//! [`BatchContext`], which is in a thread-local variable while the conversation is polled. Each use borrows
//! it. So if a protocol sends while it encodes, the context is borrowed already, and the datagram takes the
//! same way as from other threads.

use std::{
    cell::RefCell,
    mem::{self, ManuallyDrop},
    task::{Context, Poll, ready},
};

use tokio::task::coop;

use crate::{
    stats::{Counters, add},
    transport::{Passed, RecvBatch, SendBatch},
};

thread_local! {
    /// Without a destructor, no access has to check whether the thread is ending. At that time the variable is
    /// empty, because the worker that lends a batch takes it back.
    static CURRENT: RefCell<ManuallyDrop<Option<Box<BatchContext>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

/// One batch of one worker, from the receive to the send.
#[derive(Debug)]
pub(crate) struct BatchContext {
    /// The socket this batch belongs to.
    socket: u64,
    /// The serial number of the conversation that is polled, and the number of the datagram that opened it.
    serial: u64,
    at: usize,
    /// Whether that datagram was received.
    opened: bool,
    /// Whether it did not decode.
    refused: bool,
    /// What came with the current datagram besides its bytes, until it is received or the next one is current.
    pub(crate) passed: Option<Box<Passed>>,
    pub(crate) received: RecvBatch,
    pub(crate) replies: SendBatch,
    /// How many more inline replies are free before they cost another unit of tokio's budget.
    free_replies: u8,
    returned: u64,
    decode_errors: u64,
    pub(crate) conversations: u64,
}

/// How many inline replies cost one unit of tokio's budget. A task has 128 units, so it can send 2,048
/// replies: as many as the largest batch of merged datagrams needs. They leave within a few milliseconds.
const REPLIES_PER_UNIT: u8 = 16;

impl BatchContext {
    pub(crate) fn new(socket: u64, datagram_limit: usize) -> Box<Self> {
        Box::new(Self {
            socket,
            serial: 0,
            at: 0,
            opened: false,
            refused: false,
            passed: None,
            received: RecvBatch::new(datagram_limit),
            replies: SendBatch::default(),
            free_replies: REPLIES_PER_UNIT,
            returned: 0,
            decode_errors: 0,
            conversations: 0,
        })
    }

    /// Opens the conversation `serial` with datagram number `at`.
    pub(crate) fn offer(&mut self, serial: u64, at: usize) {
        self.serial = serial;
        self.at = at;
        self.opened = false;
        self.refused = false;
    }

    /// Makes datagram number `at` the current one: takes what came with it.
    #[inline]
    pub(crate) fn take_passed(&mut self, at: usize) {
        if self.received.has_passed() {
            self.passed = self.received.take_passed(at);
        }
    }

    /// Drops what came with the current datagram, because the datagram is dropped: the next one may repeat it.
    #[cold]
    pub(crate) fn drop_passed(&mut self) {
        self.passed = None;
    }

    /// Whether the conversation `serial` may receive the datagram that opened it: once.
    #[inline]
    pub(crate) const fn open(&mut self, serial: u64) -> bool {
        let first = self.serial == serial && !self.opened;
        if first {
            self.opened = true;
            self.returned += 1;
        }
        first
    }

    /// Drops the datagram that opened the conversation `serial`, if it was not received, and returns what came with it.
    #[cold]
    pub(crate) fn discard(&mut self, serial: u64) -> Option<Option<Box<Passed>>> {
        let unread = self.serial == serial && !self.opened;
        unread.then(|| {
            self.opened = true;
            self.passed.take()
        })
    }

    /// The datagram that opened the conversation did not decode.
    #[cold]
    pub(crate) const fn refuse(&mut self) {
        self.refused = true;
        self.decode_errors += 1;
    }

    /// Whether the datagram that opened the conversation did not decode.
    pub(crate) const fn has_refused(&self) -> bool {
        self.refused
    }

    /// The datagram that opened the conversation.
    #[inline]
    pub(crate) fn opening(&self) -> &[u8] {
        self.received.datagram(self.at)
    }

    /// The datagram that opened the conversation, if it was not received.
    #[inline]
    pub(crate) fn unread(&self) -> Option<&[u8]> {
        (!self.opened).then(|| self.received.datagram(self.at))
    }

    /// Completes when one more inline reply is allowed; it is pending when other tasks must run first.
    #[inline]
    pub(crate) fn poll_proceed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.free_replies.checked_sub(1) {
            Some(free) => self.free_replies = free,
            None => {
                ready!(coop::poll_proceed(cx)).made_progress();
                self.free_replies = REPLIES_PER_UNIT - 1;
            }
        }
        Poll::Ready(())
    }

    /// Adds what happened in this batch to the counters, and drops what came with its last datagram.
    pub(crate) fn count(&mut self, counters: &Counters) {
        self.passed = None;
        add(&counters.delivered, mem::take(&mut self.returned));
        add(&counters.decode_errors, mem::take(&mut self.decode_errors));
        add(&counters.conversations, mem::take(&mut self.conversations));
    }

    /// Runs `poll` and lends it this batch. A handler may itself drive another worker. Then the outer batch
    /// is lent again afterwards. If the outer batch is borrowed, for example by a protocol that drives a
    /// worker, this batch is not lent.
    #[inline]
    pub(crate) fn lend<R>(self: Box<Self>, poll: impl FnOnce() -> R) -> (Box<Self>, R) {
        CURRENT.with(|slot| {
            let Ok(mut lent) = slot.try_borrow_mut() else { return (self, poll()) };
            let outer = lent.replace(self);
            drop(lent);
            let result = poll();
            let batch = mem::replace(&mut **slot.borrow_mut(), outer);
            let batch = batch.expect("only the worker that has lent a batch takes it out");
            (batch, result)
        })
    }

    /// Runs `f` with the batch that is lent on this thread, if it belongs to `socket` and is not borrowed.
    #[inline]
    pub(crate) fn with<R>(socket: u64, f: impl FnOnce(&mut Self) -> Option<R>) -> Option<R> {
        CURRENT.with(|batch| {
            let mut batch = batch.try_borrow_mut().ok()?;
            batch.as_deref_mut().filter(|batch| batch.socket == socket).and_then(f)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn batch(socket: u64) -> Box<BatchContext> {
        BatchContext::new(socket, 16)
    }

    #[test]
    fn a_batch_is_available_only_while_it_is_lent_and_only_for_its_own_socket() {
        let seen = |socket| BatchContext::with(socket, |batch| Some(batch.socket));

        let (_, inside) = batch(7).lend(|| (seen(7), seen(8), seen(7)));

        assert_eq!(inside, (Some(7), None, Some(7)));
        assert_eq!(seen(7), None);
    }

    #[test]
    fn batches_nest() {
        let (outer, _) = batch(1).lend(|| {
            let (inner, _) =
                batch(2).lend(|| assert!(BatchContext::with(1, |_| Some(())).is_none()));
            assert_eq!(inner.socket, 2);
            assert!(BatchContext::with(1, |_| Some(())).is_some());
        });

        assert_eq!(outer.socket, 1);
    }

    #[test]
    fn a_batch_that_is_in_use_stays_where_it_is() {
        let (outer, ()) = batch(1).lend(|| {
            let inner = BatchContext::with(1, |_| {
                Some(batch(2).lend(|| BatchContext::with(2, |_| Some(())).is_none()))
            })
            .unwrap();
            assert!(inner.0.socket == 2 && inner.1);
        });

        assert_eq!(outer.socket, 1);
    }

    // H-5
    #[test]
    fn a_panic_of_the_borrower_puts_the_batch_back() {
        let (batch, _) = batch(1).lend(|| {
            let panic = catch_unwind(AssertUnwindSafe(|| {
                BatchContext::with(1, |_| -> Option<()> { panic!("in a codec") })
            }));
            assert!(panic.is_err());
            let twice = |_: &mut _| Some(BatchContext::with(1, |_| Some(())).is_none());
            assert!(BatchContext::with(1, twice).unwrap());
        });

        assert_eq!(batch.socket, 1);
    }
}
