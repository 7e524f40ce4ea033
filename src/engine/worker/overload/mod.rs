//! What a worker does when it gets more datagrams than it can serve: new peers wait in its backlog.

mod pressure;

use std::sync::atomic::Ordering::Relaxed;

pub(super) use pressure::Overload;

use super::{Worker, dispatch::Source};
use crate::{
    Handler,
    engine::{
        backlog::{Lost, Turn},
        conversation::{HandlerCall, Outcome},
        serve_state::Mode,
        unpolled,
    },
    socket::batch_context::BatchContext,
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
    /// Whether a new peer has to wait.
    pub(super) fn is_overloaded(&self) -> bool {
        self.overload.is_on() || self.has_unpolled(unpolled::MAX)
    }

    /// Whether the other runtime, which runs the conversations, is behind.
    fn has_unpolled(&self, most: usize) -> bool {
        !self.polls_inline
            && self.overload.now.is_known()
            && self.socket.unpolled.load(Relaxed) >= most
    }

    /// Whether there is a backlog that can be served now.
    pub(super) fn can_serve_backlog(&self) -> bool {
        if self.overload.backlog.is_empty() {
            return false;
        }
        let stands = self.overload.backlog.stands(self.overload.now);
        !self.has_unpolled(if stands { unpolled::MAX_STANDING } else { unpolled::MAX })
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
        if self.socket.proxies.is_some() {
            passed.get_or_insert_default().from = Some(Box::new(from.clone()));
        }
        ancillary.arrived = ancillary.arrived.or(self.overload.read);
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
        self.work(Source::Backlog);
        self.count_lost();
    }

    /// Puts the next datagram of the backlog into the empty batch. Returns false if there is none to serve now.
    pub(super) fn restore_next(&mut self, batch: &mut BatchContext) -> bool {
        let Some(turn) = self.next_turn() else { return false };
        let Turn { from, waiting: (ancillary, body), proven } = turn;
        // What the peer has sent before may have come through another proxy.
        let from = body.source().cloned().unwrap_or(from);
        let (datagram, passed) = body.into_parts();
        if proven {
            // The conversation that the one before it has opened learns that.
            self.conversations.has(&from, true);
        }
        batch.received.restore(from, ancillary, datagram.into_vec());
        batch.passed = passed;
        self.guarding.set_proven(proven);
        self.overload.serial = self.serial;
        true
    }

    fn next_turn(&mut self) -> Option<Turn> {
        if let Some(turn) = self.overload.next.take() {
            return Some(turn);
        }
        if self.overload.slice_is_over() || self.serve_state.mode() >= Mode::Stop {
            return None;
        }
        self.overload.backlog.expire(self.overload.now);
        if !self.can_serve_backlog() {
            return None;
        }
        self.overload.backlog.take(self.overload.now)
    }

    /// The datagram that was restored has had its turn. If its peer is in conversation now, what it has sent after that comes
    /// next, because later ones do not wait any more.
    pub(super) fn end_turn(&mut self, batch: &mut BatchContext) {
        if self.serial != self.overload.serial && batch.unread().is_none() {
            self.socket.count_wait(batch.received.ancillary(0).arrived);
        }
        let from = batch.received.from(0);
        if self.conversations.has(from, false) {
            self.overload.next = self.overload.backlog.take_of(from);
        }
        batch.drop_passed();
        batch.received.clear();
        self.next = 0;
        self.overload.look(&self.socket);
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

    /// Begins to work on a batch, or on the rest of it.
    #[inline]
    pub(super) fn begin_batch(&mut self, batch: &BatchContext) {
        if self.socket.limits.queue_time().is_limited() {
            let first = batch.received.ancillary(self.next).arrived;
            self.overload.begin(first, &mut *self.receiving, &self.socket);
            if self.next == 0 {
                self.overload.read = self.overload.now;
            }
        } else {
            self.overload.begin_unlimited(&mut *self.receiving);
        }
    }
}
