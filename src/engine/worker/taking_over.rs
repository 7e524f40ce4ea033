//! What a worker does at its end with what has come from the process that had its socket before.

use std::{future::poll_fn, sync::Arc, task::Poll};

use super::{NOT_LENT, Worker};
use crate::{
    Handler,
    engine::{
        conversation::{HandlerCall, Outcome},
        serve_state::Mode,
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
    /// Serves what the process before this one has returned. It was read from the socket, so nobody else can serve it. If
    /// serving ends at once, it is dropped and counted.
    pub(super) async fn finish_taking_over(&mut self) {
        let Some(intake) = self.socket.hand_over.intake().map(Arc::clone) else { return };
        poll_fn(|cx| {
            self.attend(cx);
            if self.serves() { intake.poll_gone(cx) } else { Poll::Ready(()) }
        })
        .await;
        loop {
            intake.take_rest(&mut self.batch.as_mut().expect(NOT_LENT).received);
            let datagrams = self.batch.as_ref().expect(NOT_LENT).received.len();
            if datagrams == 0 {
                return;
            }
            self.count_received();
            if self.serves() {
                while !self.in_time(Self::dispatch) {
                    self.give_way().await;
                }
            } else {
                self.socket.dropped(DropReason::ShuttingDown, datagrams as u64);
            }
            self.batch.as_mut().expect(NOT_LENT).received.clear();
            self.next = 0;
        }
    }

    /// Whether conversations still get what was read.
    fn serves(&self) -> bool {
        matches!(self.serve_state.mode(), Mode::HandOver | Mode::Finish)
    }
}
