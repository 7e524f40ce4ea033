//! Drops datagrams, and says why.

use super::Worker;
use crate::{
    Addr, BoxError, Handler,
    engine::{
        admission::Refusal,
        conversation::{HandlerCall, Outcome},
    },
    socket::batch_context::BatchContext,
    stats::DropReason,
    transport::UnnamedPeers,
};

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
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

    /// Logs why a datagram from `from` is not accepted; returns the reason.
    #[cold]
    pub(super) fn refuse(&self, from: &Addr, refusal: Refusal) -> DropReason {
        match refusal {
            Refusal::Source => DropReason::Refused,
            Refusal::Rate => DropReason::Rate,
            Refusal::Panicked(panicked) => {
                self.socket.events.error(from, &panicked, "the source filter failed");
                DropReason::Refused
            }
            Refusal::Unnamed => {
                if self.socket.outbox.transport().unnamed_peers() == UnnamedPeers::Warn {
                    let error: BoxError = "the sender has no name, so it cannot be answered".into();
                    self.socket.events.warn(from, &*error, "a datagram was dropped");
                }
                DropReason::Unnamed
            }
        }
    }
}
