//! What a worker does when it gets more datagrams than it can serve: new peers wait in its backlog.

mod pressure;

use std::{mem, sync::atomic::Ordering::Relaxed, time::Duration};

pub(super) use pressure::Overload;

use tokio::{task::coop, time::Instant};

use super::{NOT_LENT, Worker};
use crate::{
    Handler,
    engine::{
        backlog::{Lost, Turn},
        conversation::{HandlerCall, Outcome},
        conversations::Arrival,
        serve_state::Mode,
    },
    socket::batch_context::BatchContext,
    stats::DropReason,
};

/// How long a worker serves its backlog before it receives again.
const SLICE: Duration = Duration::from_millis(1);

/// The most conversations that wait for another runtime to begin, and the most when the backlog stands. Both are larger
/// than the number at which the worker is woken.
const MAX_UNBEGUN: usize = 64;
const MAX_UNBEGUN_STANDING: usize = 8;

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Whether a new peer has to wait.
    pub(super) fn is_overloaded(&self) -> bool {
        self.overload.is_on() || self.has_unbegun(MAX_UNBEGUN)
    }

    /// Whether the other runtime, which runs the conversations, is behind.
    fn has_unbegun(&self, most: usize) -> bool {
        !self.polls_inline
            && self.overload.now.is_known()
            && self.socket.unbegun.load(Relaxed) >= most
    }

    /// Whether there is a backlog that can be served now.
    pub(super) fn can_serve_backlog(&self) -> bool {
        if self.overload.backlog.is_empty() {
            return false;
        }
        let stands = self.overload.backlog.stands(self.overload.now);
        !self.has_unbegun(if stands { MAX_UNBEGUN_STANDING } else { MAX_UNBEGUN })
    }

    /// Keeps datagram number `at`, of a new peer, for later.
    #[cold]
    pub(super) fn postpone(
        &mut self,
        mut batch: Box<BatchContext>,
        at: usize,
    ) -> Box<BatchContext> {
        let BatchContext { received, passed, .. } = &mut *batch;
        let (from, mut ancillary) = (received.from(at), received.ancillary(at));
        ancillary.arrived = ancillary.arrived.or(self.overload.now);
        let (datagram, proven) = (received.datagram(at), self.guarding.is_proven());
        let Overload { backlog, now, .. } = &mut self.overload;
        let pushed = backlog.push(from, ancillary, datagram, passed.take(), proven, *now);
        self.count_lost();
        match pushed {
            Ok(()) => batch,
            Err(reason) => self.drop_datagram(batch, reason),
        }
    }

    /// Serves new peers for a short time, at least one.
    pub(super) fn serve_backlog(&mut self) {
        self.overload.begin_backlog(&self.socket);
        let until = Instant::now() + SLICE;
        let mut batch = self.batch.take().expect(NOT_LENT);
        self.begin_work();
        while coop::has_budget_remaining() && self.serve_state.mode() < Mode::Stop {
            self.overload.backlog.expire(self.overload.now);
            if !self.can_serve_backlog() {
                break;
            }
            let Some(turn) = self.overload.backlog.take(self.overload.now) else { break };
            batch = self.serve_turn(batch, turn);
            if self.overload.look(&self.socket) >= until {
                break;
            }
        }
        self.count_lost();
        self.end_work(batch);
    }

    /// Counts what the backlog has dropped.
    fn count_lost(&mut self) {
        let Lost { late, freed } = self.overload.backlog.take_lost();
        for (reason, datagrams) in [(DropReason::Late, late), (DropReason::MemoryLimit, freed)] {
            if datagrams > 0 {
                self.socket.dropped(reason, datagrams);
            }
        }
    }

    /// Opens a conversation with a datagram that has waited. If it becomes a task, what its peer has sent after that waits for
    /// it.
    fn serve_turn(&mut self, mut batch: Box<BatchContext>, turn: Turn) -> Box<BatchContext> {
        let from = turn.from.clone();
        batch = self.arrive_late(batch, turn);
        while self.conversations.has(&from, false)
            && let Some(turn) = self.overload.backlog.take_of(&from)
        {
            batch = self.arrive_late(batch, turn);
        }
        batch
    }

    fn arrive_late(&mut self, mut batch: Box<BatchContext>, turn: Turn) -> Box<BatchContext> {
        let Turn { from, waiting: (ancillary, body), proven } = turn;
        let (datagram, passed) = body.into_parts();
        batch.received.clear();
        batch.received.restore(from, ancillary, datagram.into_vec());
        batch.passed = passed;
        self.guarding.set_proven(proven);
        let serial = self.serial;
        let BatchContext { received, passed, .. } = &mut *batch;
        let datagram = || (ancillary, received.datagram(0));
        batch = match self.conversations.arrive(received.from(0), datagram, passed) {
            Arrival::Opening => self.open_or_drop(batch, 0),
            Arrival::Waiting => {
                self.busy = true;
                batch
            }
            Arrival::Dropped(reason) => self.drop_datagram(batch, reason),
        };
        if self.serial != serial && batch.unread().is_none() {
            self.socket.count_wait(ancillary.arrived);
        }
        batch.drop_passed();
        batch.received.clear();
        batch
    }

    /// Begins to work on a batch, or on the rest of it.
    #[inline]
    pub(super) fn begin_batch(&mut self, batch: &BatchContext) {
        if self.socket.limits.queue_time().is_limited() {
            let first = batch.received.ancillary(self.next).arrived;
            self.overload.begin(first, &mut *self.receiving, &self.socket);
        } else {
            self.overload.begin_unlimited(&mut *self.receiving);
        }
    }

    /// Ends the backlog, because serving ends.
    pub(super) fn drop_backlog(&mut self) {
        drop(mem::replace(&mut self.overload, Overload::new(&self.socket)));
    }
}
