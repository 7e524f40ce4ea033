//! How a worker works on a batch: each datagram goes to its conversation, opens one, or is dropped.

use std::mem;

use tokio::task::coop;

use super::{NOT_LENT, Worker, guarding::Current};
use crate::{
    Handler,
    engine::{
        conversation::{HandlerCall, Outcome},
        conversations::Arrival,
        serve_state::Mode,
    },
    socket::{
        batch_context::BatchContext,
        look_up::{Looked, Lookup},
        outbox::Batch,
    },
    stats::DropReason,
};

/// Where datagrams come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// They have just been received.
    Batch,
    /// They have waited in the backlog.
    Backlog,
}

/// What a datagram is that may go to a handler.
pub(super) enum Admitted {
    Request,
    /// A part of a request, which is kept until all parts are there.
    Part,
}

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Works on the batch. Returns false if other tasks must run before the rest of it.
    pub(super) fn dispatch(&mut self) -> bool {
        self.work(Source::Batch)
    }

    /// Works on datagrams of the batch, or of the backlog. Both go through the same code, so that the compiler sees one caller
    /// of what opens a conversation. Returns whether all datagrams of the batch were worked on.
    #[inline(never)]
    pub(super) fn work(&mut self, source: Source) -> bool {
        // Half the length of a queue by default: many datagrams for one conversation must not overflow its
        // queue before the conversation can receive.
        const AT_A_TIME: usize = 32;

        let mut batch = self.batch.take().expect(NOT_LENT);
        self.begin_work(&batch, source);
        let first = self.next;
        while coop::has_budget_remaining() || self.overload.has_next() {
            if source == Source::Backlog {
                if !self.restore_next(&mut batch) {
                    break;
                }
            } else if self.next == batch.received.len()
                || self.busy && self.next - first >= AT_A_TIME
            {
                break;
            }
            let at = self.next;
            self.next += 1;
            batch = self.receive(batch, at, source);
            if source == Source::Backlog {
                self.end_turn(&mut batch);
            } else {
                self.overload.go_on(&self.socket);
            }
        }
        let done = self.next == batch.received.len();
        self.end_work(batch);
        done
    }

    /// Prepares the work on datagrams.
    fn begin_work(&mut self, batch: &BatchContext, source: Source) {
        match source {
            Source::Batch => self.begin_batch(batch),
            Source::Backlog => self.overload.begin_backlog(&self.socket),
        }
        if self.guarding.is_outdated(&self.socket) {
            self.guarding.learn(&self.socket);
            // The next conversation must not have the budget of the last one.
            self.call = None;
        }
        self.busy = false;
        self.socket.outbox.begin_batch();
    }

    /// Ends the work on the datagrams of `batch`, and sends its replies.
    fn end_work(&mut self, mut batch: Box<BatchContext>) {
        if mem::take(&mut self.reserved) {
            self.conversations.release();
        }
        // Counted before the replies leave, so that the stats include every datagram that a peer has a reply
        // to.
        batch.count(&self.socket.counters);
        let after = if self.busy { Batch::GoesOn } else { Batch::IsOver };
        self.guarding.amplification.sent += batch.replies.bytes() as u64;
        self.socket.outbox.send_replies(&mut batch.replies, after);
        self.batch = Some(batch);
        if self.guarding.amplification.is_large() {
            self.guarding.tell_amplification(&self.socket);
        }
    }

    /// Gives datagram number `at` to its conversation, opens a conversation with it, keeps it for later, or drops it.
    fn receive(
        &mut self,
        mut batch: Box<BatchContext>,
        at: usize,
        source: Source,
    ) -> Box<BatchContext> {
        // What has waited was admitted before.
        let is_new = source == Source::Batch;
        if is_new {
            match self.admit(&mut batch, at) {
                Ok(Admitted::Request) => {}
                Ok(Admitted::Part) => {
                    batch.drop_passed();
                    return batch;
                }
                Err(reason) => return self.drop_datagram(batch, reason),
            }
        }
        let BatchContext { received, passed, .. } = &mut *batch;
        let read = self.overload.read;
        let datagram = || {
            let mut ancillary = received.ancillary(at);
            ancillary.arrived = ancillary.arrived.or(read);
            (ancillary, received.datagram(at))
        };
        let reason = match self.conversations.arrive(received.from(at), datagram, passed) {
            Arrival::Waiting => {
                self.busy = true;
                return batch;
            }
            Arrival::Dropped(reason) => reason,
            Arrival::Opening if is_new && self.serve_state.mode() == Mode::Drain => {
                DropReason::ShuttingDown
            }
            Arrival::Opening
                if self.guarding.is_on && self.guarding.refuses_reply(received.from(at)) =>
            {
                DropReason::Rate
            }
            Arrival::Opening if is_new && self.is_overloaded() => return self.postpone(batch, at),
            Arrival::Opening => {
                self.reserved = self.reserved || self.conversations.reserve();
                if self.reserved {
                    return self.open(batch, at);
                }
                DropReason::ConversationLimit
            }
        };
        self.drop_datagram(batch, reason)
    }

    /// Decides whether datagram number `at` may go to a handler. If not, returns the reason.
    pub(super) fn admit(
        &mut self,
        batch: &mut BatchContext,
        at: usize,
    ) -> Result<Admitted, DropReason> {
        batch.take_passed(at);
        let BatchContext { received, passed, replies, .. } = batch;
        let admitted = self.admission.admits(received.from(at), || received.ancillary(at).local);
        if self.serve_state.mode() >= Mode::Stop {
            return Err(DropReason::ShuttingDown);
        }
        if let Err(refusal) = admitted {
            return Err(refusal.reason(received.from(at), &self.socket));
        }
        let socket = &self.socket;
        if self.guarding.is_on {
            let mut current = Current { socket, received, at, replies };
            if let Some(reason) = self.guarding.meet(&mut current, &self.conversations) {
                return Err(reason);
            }
        }
        if !self.has_cache {
            return Ok(Admitted::Request);
        }
        let rules = self.guarding.rules(received.from(at), &self.conversations);
        match (Lookup { socket, received, at, passed, rules, replies }).run() {
            Looked::Request => Ok(Admitted::Request),
            Looked::InProgress => {
                self.overload.backlog.renew(received.from(at), self.overload.now);
                Err(DropReason::Duplicate)
            }
            Looked::Dropped(reason) => Err(reason),
            Looked::Part => Ok(Admitted::Part),
        }
    }

    /// Drops the current datagram.
    #[cold]
    pub(super) fn drop_datagram(
        &self,
        mut batch: Box<BatchContext>,
        reason: DropReason,
    ) -> Box<BatchContext> {
        batch.drop_passed();
        self.socket.dropped(reason, 1);
        batch
    }
}
