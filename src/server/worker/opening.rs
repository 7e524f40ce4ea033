//! How a conversation begins: polled once where its datagram was received, and a task if it has to wait.

use std::{mem, sync::Arc, task::Poll};

use super::Worker;
use crate::{
    Handler, Peer,
    events::Scope,
    panic,
    peer::turn::Turn,
    server::conversation::{Ending, Outcome, Seat, Stage, Task, judge},
    stats::DropReason,
};

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<Seat<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Opens a conversation and polls it once, here and now.
    pub(super) fn open(&mut self, mut turn: Box<Turn>, at: usize) -> Box<Turn> {
        self.serial += 1;
        let serial = self.serial;
        turn.offer(serial, at);
        let (from, ancillary) = (turn.received.from(at), turn.received.ancillary(at));
        let seat = match self.seat.take() {
            Some(mut seat) => {
                seat.peer.renew(from, ancillary, serial);
                seat
            }
            None => {
                let (port, mailbox) = (Arc::clone(&self.port), Arc::clone(&self.mailbox));
                let peer = Peer::new(port, mailbox, from.clone(), ancillary, serial);
                Box::new(Seat { handler: Arc::clone(&self.handler), peer })
            }
        };
        let mut stage = self.stage.take().unwrap_or_else(Stage::new);
        stage.set((self.converse)(seat));
        let span = self.epoch.conversation(from);
        let mut polled = Poll::Pending;
        if self.elsewhere.is_none() {
            (turn, ()) = turn.lend(|| polled = stage.poll_first(&span));
        }
        match polled {
            Poll::Ready(outcome) => {
                self.stage = Some(stage);
                self.seat = judge(outcome, &self.port, turn.received.from(at), &span);
                turn.conversations += 1;
                if turn.unread().is_some() {
                    self.port.counters.dropped(DropReason::Unread, 1);
                }
                if self.seat.as_mut().is_some_and(|seat| seat.peer.finish()) {
                    self.follow(&turn, at);
                }
            }
            Poll::Pending => self.keep(&mut turn, at, stage, span),
        }
        turn
    }

    /// Lets a conversation go on that has to wait, with the datagram that opened it if that is unread.
    fn keep(&mut self, turn: &mut Turn, at: usize, stage: Stage<F>, span: Scope) {
        let (peer, ancillary) = (turn.received.from(at).clone(), turn.received.ancillary(at));
        let mailbox = mem::take(&mut self.mailbox);
        let (port, counters) = (Arc::clone(&self.port), &self.port.counters);
        let kept = turn
            .unread()
            .is_none_or(|unread| mailbox.open(ancillary, unread, &self.port.limits, counters));
        if kept {
            let ending = Ending { port, mailbox, peer, serial: self.serial, over: false };
            self.spawn(stage, span, ending);
            return;
        }
        // Its datagram cannot wait, so neither can it.
        self.port.dropped(DropReason::MemoryLimit, 1);
        turn.conversations += 1;
        if let Err(panicked) = panic::catch(|| drop(stage)) {
            self.port.report(&peer, &panicked.into(), true);
        }
    }

    /// Opens the conversation that receives what the last one has put back, as a task.
    fn follow(&mut self, turn: &Turn, at: usize) {
        let (Some(mut seat), Some(mut stage)) = (self.seat.take(), self.stage.take()) else {
            return;
        };
        let (peer, ancillary) = (turn.received.from(at).clone(), turn.received.ancillary(at));
        self.serial += 1;
        seat.peer.renew(&peer, ancillary, self.serial);
        stage.set((self.converse)(seat));
        let span = self.epoch.conversation(&peer);
        let (port, mailbox) = (Arc::clone(&self.port), mem::take(&mut self.mailbox));
        let ending = Ending { port, mailbox, peer, serial: self.serial, over: false };
        self.spawn(stage, span, ending);
    }

    /// Makes a task of a conversation that has to wait.
    fn spawn(&mut self, stage: Stage<F>, span: Scope, ending: Ending<Req, Res>) {
        let (peer, serial) = (ending.peer.clone(), ending.serial);
        let mailbox = Arc::clone(&ending.mailbox);
        let task = Task {
            stage,
            span,
            handler: Arc::clone(&self.handler),
            converse: self.converse,
            ending,
            epoch: Arc::clone(&self.epoch),
        };
        let task = match &self.elsewhere {
            None => tokio::spawn(task),
            Some(handle) => handle.spawn(task),
        };
        let task = task.abort_handle();
        self.conversations.insert(peer, serial, mailbox, task);
        self.reserved = false;
        self.busy = true;
    }
}
