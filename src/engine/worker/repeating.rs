//! Looks up a datagram in the reply cache.

use super::Worker;
use crate::{
    Handler,
    engine::conversation::{HandlerCall, Outcome},
    reply_cache::Arrival,
    stats::add,
    transport::{Passed, RecvBatch, Route, SendBatch},
};

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Whether datagram number `at` repeats a request. If that has a reply, it is sent again. If the datagram is a
    /// new request, its ticket is among what came with it.
    #[cold]
    pub(super) fn is_repetition(
        &self,
        received: &RecvBatch,
        at: usize,
        passed: &mut Option<Box<Passed>>,
        replies: &mut SendBatch,
    ) -> bool {
        let Some(cache) = &self.socket.replies else { return false };
        let from = received.from(at);
        match cache.arrive(from, received.datagram(at)) {
            Ok(Arrival::Unnumbered) => false,
            Ok(Arrival::New(ticket)) => {
                passed.get_or_insert_default().ticket = Some(ticket);
                false
            }
            Ok(Arrival::Duplicate) => true,
            Ok(Arrival::Answered(reply)) => {
                let to = Route { peer: from.clone(), local: received.ancillary(at).local };
                if self.socket.outbox.send_again(replies, &to, &reply) {
                    add(&self.socket.counters.replayed, 1);
                }
                true
            }
            Err(panicked) => {
                self.socket.events.error(from, &panicked, "the id of a datagram could not be read");
                false
            }
        }
    }
}
