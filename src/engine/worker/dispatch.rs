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
        // Half the length of a queue by default: many datagrams for one conversation must not overflow its
        // queue before the conversation can receive.
        const AT_A_TIME: usize = 32;

        let mut batch = self.batch.take().expect(NOT_LENT);
        self.begin_batch(&batch);
        let first = self.next;
        self.begin_work();
        while self.next < batch.received.len() && coop::has_budget_remaining() {
            if self.busy && self.next - first >= AT_A_TIME {
                break;
            }
            let at = self.next;
            self.next += 1;
            batch = self.receive(batch, at);
            self.overload.go_on(&self.socket);
        }
        let done = self.next == batch.received.len();
        self.end_work(batch);
        done
    }

    /// Prepares the work on datagrams.
    pub(super) fn begin_work(&mut self) {
        if self.guarding.is_outdated(&self.socket) {
            self.guarding.learn(&self.socket);
            // The next conversation must not have the budget of the last one.
            self.call = None;
        }
        self.busy = false;
        self.socket.outbox.begin_batch();
    }

    /// Ends the work on the datagrams of `batch`, and sends its replies.
    pub(super) fn end_work(&mut self, mut batch: Box<BatchContext>) {
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

    /// Gives datagram number `at` to its conversation, opens a conversation with it, or drops it.
    fn receive(&mut self, mut batch: Box<BatchContext>, at: usize) -> Box<BatchContext> {
        batch.take_passed(at);
        let BatchContext { received, passed, replies, .. } = &mut *batch;
        let mode = self.serve_state.mode();
        let admitted = self.admission.admits(received.from(at), || received.ancillary(at).local);
        let dropped = if mode >= Mode::Stop {
            DropReason::ShuttingDown
        } else if let Err(refusal) = admitted {
            refusal.reason(received.from(at), &self.socket)
        } else if self.guarding.is_on
            && let Some(reason) = {
                let socket = &self.socket;
                let mut current = Current { socket, received, at, replies };
                self.guarding.meet(&mut current, &self.conversations)
            }
        {
            reason
        } else {
            if self.has_cache {
                let rules = self.guarding.rules(received.from(at), &self.conversations);
                let socket = &self.socket;
                match (Lookup { socket, received, at, passed, rules, replies }).run() {
                    Looked::Request => {}
                    Looked::Dropped(reason) => return self.drop_datagram(batch, reason),
                    Looked::Part => {
                        batch.drop_passed();
                        return batch;
                    }
                }
            }
            let now = self.overload.now;
            let datagram = || {
                let mut ancillary = received.ancillary(at);
                ancillary.arrived = ancillary.arrived.or(now);
                (ancillary, received.datagram(at))
            };
            match self.conversations.arrive(received.from(at), datagram, passed) {
                Arrival::Waiting => {
                    self.busy = true;
                    return batch;
                }
                Arrival::Dropped(reason) => reason,
                Arrival::Opening if mode == Mode::Drain => DropReason::ShuttingDown,
                Arrival::Opening if self.is_overloaded() => return self.postpone(batch, at),
                Arrival::Opening => return self.open_or_drop(batch, at),
            }
        };
        self.drop_datagram(batch, dropped)
    }

    /// Opens a conversation with datagram number `at`, or drops it.
    pub(super) fn open_or_drop(
        &mut self,
        batch: Box<BatchContext>,
        at: usize,
    ) -> Box<BatchContext> {
        if self.guarding.is_on && self.guarding.refuses_reply(batch.received.from(at)) {
            return self.drop_datagram(batch, DropReason::Rate);
        }
        self.reserved = self.reserved || self.conversations.reserve();
        if self.reserved {
            return self.open(batch, at);
        }
        self.drop_datagram(batch, DropReason::ConversationLimit)
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
