//! The replies of functions over transports that send each datagram at once.
//!
//! A function does not learn how its reply was sent. So its short replies need not leave at once: those of one
//! batch leave with one system call. A reply that finds no room at its peer is held, and those to other peers
//! behind it still leave. While a reply to a peer is held, the next replies to it are sent like those of other
//! senders: their conversations wait.

use std::{io, sync::atomic::Ordering};

use super::{
    Outbox, REPLIES, Refusals,
    held::{Held, Outcome},
};
use crate::{
    Addr,
    socket::batch_context::BatchContext,
    stats::add,
    transport::{Route, SendBatch, Transport},
};

/// Longer replies are sent at once, because their bytes would be copied once more. Each system has room for a
/// datagram of this length in its smallest send buffer.
const SHORT: usize = 2_048;

impl Outbox {
    /// Adds the reply of a function to the batch `replies`. Returns false if it must be sent at once.
    pub(crate) fn takes_reply(&self, replies: &mut SendBatch, to: &Route, reply: &[u8]) -> bool {
        let alone = reply.len() > SHORT
            || to.peer.is_unnamed()
            || self.lines.has(&to.peer)
            || self.holds(|held| held.is_full() || held.has(&to.peer));
        if alone {
            return false;
        }
        if replies.len() >= REPLIES {
            self.send_inline(replies);
        }
        if replies.is_empty() {
            self.next_round();
        }
        replies.push(to, reply);
        true
    }

    /// Sends a reply once more, in the batch `replies` of the worker. Returns false if it could not be sent. It does
    /// not wait for room: the peer repeats its request if it needs the reply.
    pub(crate) fn send_again(&self, replies: &mut SendBatch, to: &Route, reply: &[u8]) -> bool {
        if self.at_once {
            if self.takes_reply(replies, to, reply) {
                return true;
            }
            // It must not overtake the replies in the batch.
            self.send_inline(replies);
            let send = |socket: &dyn Transport| socket.try_send(to, reply);
            return self.try_send_at_once(to, reply.len(), send).unwrap_or(false);
        }
        if self.takes_inline(replies) {
            replies.push(to, reply);
            return true;
        }
        self.try_send(to, reply).unwrap_or(false)
    }

    /// Adds encoded datagrams to the batch of the worker that is lent on this thread, if it belongs to `socket` and takes
    /// them. Returns false if they must be sent otherwise.
    pub(crate) fn joins_batch<'d>(
        &self,
        socket: u64,
        to: &Route,
        datagrams: impl Iterator<Item = &'d [u8]>,
    ) -> bool {
        let joined = BatchContext::with(socket, |batch| {
            let takes = !self.at_once && self.takes_inline(&mut batch.replies);
            takes.then(|| datagrams.for_each(|datagram| batch.replies.push(to, datagram)))
        });
        joined.is_some()
    }

    /// Sends a reply once more, for a sender that is not the worker. Returns false if it could not be sent.
    pub(crate) fn send_alone_again(&self, to: &Route, reply: &[u8]) -> bool {
        if !self.at_once {
            return self.try_send(to, reply).unwrap_or(false);
        }
        let send = |socket: &dyn Transport| socket.try_send(to, reply);
        match self.try_send_at_once(to, reply.len(), send) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(_) => return false,
        }
        // Others may wait in a batch. The worker sends it when they have left, or when its peer has room.
        let mut state = self.lock();
        if !state.open || state.held.is_full() {
            return false;
        }
        state.held.push(to.clone(), reply.to_vec());
        self.backlog.store(state.held.len(), Ordering::Release);
        drop(state);
        self.signal.wake();
        true
    }

    /// Sends the replies of functions; returns what the kernel refused.
    pub(super) fn send_batched(&self, replies: &mut SendBatch) -> Refusals {
        let mut refusals = Vec::new();
        if replies.is_empty() {
            return refusals;
        }
        // It may be closed: a task may have dropped the future of `serve` in the middle of the batch.
        while self.is_open() {
            let (done, mut refused) = self.send_batch(replies);
            refusals.append(&mut refused);
            if done {
                break;
            }
            let mut state = self.lock();
            for (to, reply) in replies.take_first_peer() {
                state.held.push(to, reply);
            }
            self.backlog.store(state.held.len(), Ordering::Release);
        }
        add(&self.counters.send_errors, replies.len() as u64);
        replies.clear();
        self.next_round();
        // Senders to the same peers have waited for this.
        self.room.notify_waiters();
        refusals
    }

    /// Tries again to send the replies that are held.
    pub(super) fn retry_held(&self) {
        let (mut refusals, mut late) = (Vec::new(), Vec::new());
        let mut state = self.lock();
        state.held.retry(|to, reply, waited| match self.transport.try_send(to, reply) {
            Ok(()) => {
                self.counters.sent(1, reply.len());
                Outcome::Done
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Outcome::NoRoom,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.limits.idle_timeout().is_none_or(|limit| waited < limit) {
                    return Outcome::NoRoom;
                }
                late.push(to.peer.clone());
                Outcome::Done
            }
            Err(error) => {
                refusals.push((to.peer.clone(), error));
                Outcome::Done
            }
        });
        self.backlog.store(state.held.len(), Ordering::Release);
        drop(state);
        self.room.notify_waiters();
        self.tell(refusals);
        for peer in late {
            let error = self.late();
            self.events.warn(&peer, &error, "a datagram could not be sent");
        }
    }

    /// Calls `about` with the replies that are held, if there are any.
    fn holds(&self, about: impl FnOnce(&Held) -> bool) -> bool {
        self.backlog.load(Ordering::Acquire) > 0 && about(&self.lock().held)
    }

    /// Whether a reply to `peer` is held.
    pub(super) fn holds_for(&self, peer: &Addr) -> bool {
        self.holds(|held| held.has(peer))
    }

    /// The number of the current round. It is odd while replies wait in the batch of the worker.
    pub(super) fn round(&self) -> u64 {
        self.rounds.load(Ordering::Acquire)
    }

    /// Whether replies wait in the batch of the worker.
    #[inline]
    pub(crate) fn has_batched(&self) -> bool {
        !self.round().is_multiple_of(2)
    }

    pub(super) fn next_round(&self) {
        self.rounds.fetch_add(1, Ordering::AcqRel);
    }
}
