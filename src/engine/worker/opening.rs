//! How a conversation begins: the worker polls it once, and turns it into a task if it has to wait.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::Worker;
use crate::{
    Handler,
    engine::{
        conversation::{Ending, FutureSlot, HandlerCall, Outcome, Task, judge},
        unpolled::Unpolled,
    },
    events::Scope,
    panic,
    socket::batch_context::BatchContext,
    stats::{DropReason, add},
};

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Opens a conversation and polls it once.
    pub(super) fn open(&mut self, mut batch: Box<BatchContext>, at: usize) -> Box<BatchContext> {
        self.serial += 1;
        if self.guarding.is_on {
            self.guarding.begin(self.call.as_mut().map(|call| &mut call.peer));
        }
        let serial = self.serial;
        batch.offer(serial, at);
        let (from, ancillary) = (batch.received.from(at), batch.received.ancillary(at));
        let call = match self.call.take() {
            Some(mut call) => {
                call.peer.renew(from, ancillary, serial);
                call
            }
            None => {
                let (socket, mailbox, budget) =
                    (&self.socket, &self.mailbox, self.guarding.budget());
                let peer = (from, ancillary, serial);
                HandlerCall::new(&self.application, socket, mailbox, budget, peer)
            }
        };
        let conversation = (self.converse)(call);
        let mut slot = match self.slot.take() {
            Some(mut slot) => {
                slot.set(conversation);
                slot
            }
            None => FutureSlot::new(conversation),
        };
        let span = self.serve_state.conversation(from);
        let mut polled = Poll::Pending;
        if self.polls_inline {
            // If it has to wait, its task polls it again with a real waker.
            let mut cx = Context::from_waker(Waker::noop());
            (batch, ()) = batch.lend(|| polled = slot.poll(&span, &mut cx));
        }
        match polled {
            Poll::Ready(outcome) => {
                let call = match outcome {
                    Ok((call, Ok(()))) => Some(call),
                    other => judge(other, &self.socket, batch.received.from(at), &span),
                };
                batch.conversations += 1;
                if batch.unread().is_some() {
                    batch.drop_passed();
                    self.socket.counters.dropped(DropReason::Unread, 1);
                }
                if let Some(mut call) = call {
                    if call.peer.finish() {
                        self.follow(&batch, at, call, slot);
                        return batch;
                    }
                    self.call = Some(call);
                }
                self.slot = Some(slot);
            }
            Poll::Pending => {
                if batch.has_refused() {
                    self.mailbox.set_junk(true);
                }
                self.keep(&mut batch, at, slot, span);
            }
        }
        batch
    }

    /// Keeps a conversation that has to wait, and the datagram that opened it if the handler has not received
    /// it.
    fn keep(&mut self, batch: &mut BatchContext, at: usize, slot: FutureSlot<F>, span: Scope) {
        let (peer, mut ancillary) = (batch.received.from(at).clone(), batch.received.ancillary(at));
        ancillary.arrived = ancillary.arrived.or(self.overload.read);
        let mailbox = mem::take(&mut self.mailbox);
        let (socket, counters) = (Arc::clone(&self.socket), &self.socket.counters);
        let passed = batch.passed.take();
        let kept = batch.unread().map_or(Ok(()), |unread| {
            mailbox.open(ancillary, unread, passed, &self.socket.limits, counters)
        });
        let Err(reason) = kept else {
            let (budget, serial) = (self.guarding.take_budget(), self.serial);
            let ending = Ending { socket, mailbox, budget, peer, serial, over: false };
            self.spawn(slot, span, ending);
            return;
        };
        // A limit leaves no room for its datagram, so the conversation ends.
        self.socket.dropped(reason, 1);
        batch.conversations += 1;
        if let Err(panicked) = panic::catch(|| drop(slot)) {
            self.socket.report(&peer, &panicked.into(), true);
        }
    }

    /// Opens the next conversation of this peer as a task. It receives the packet that the last one put back.
    fn follow(
        &mut self,
        batch: &BatchContext,
        at: usize,
        mut call: Box<HandlerCall<Req, Res, H>>,
        mut slot: FutureSlot<F>,
    ) {
        let (peer, ancillary) = (batch.received.from(at).clone(), batch.received.ancillary(at));
        self.serial += 1;
        call.peer.renew_with_packet(ancillary, self.serial);
        slot.set((self.converse)(call));
        let span = self.serve_state.conversation(&peer);
        let (socket, mailbox) = (Arc::clone(&self.socket), mem::take(&mut self.mailbox));
        let (budget, serial) = (self.guarding.take_budget(), self.serial);
        let ending = Ending { socket, mailbox, budget, peer, serial, over: false };
        self.spawn(slot, span, ending);
    }

    /// Turns a conversation that has to wait into a task.
    fn spawn(&mut self, slot: FutureSlot<F>, span: Scope, ending: Ending) {
        let (peer, serial) = (ending.peer.clone(), ending.serial);
        let (mailbox, budget) = (Arc::clone(&ending.mailbox), ending.budget.clone());
        let task = Task {
            slot,
            span,
            application: Arc::clone(&self.application),
            converse: self.converse,
            asks: self.socket.has_store,
            unpolled: (!self.polls_inline).then(|| Unpolled::new(&self.socket)),
            ending,
            serve_state: Arc::clone(&self.serve_state),
        };
        let task = match &self.elsewhere {
            None => tokio::spawn(task),
            Some(handle) => handle.spawn(task),
        };
        let task = task.abort_handle();
        add(&self.socket.counters.spawned, 1);
        self.conversations.insert(peer, serial, mailbox, budget, task);
        self.reserved = false;
        self.busy = true;
    }
}
