//! Datagrams that trusted proxies have passed on: each begins with a header that says from whom it comes.

use super::{
    NOT_LENT, Worker,
    receiving::{Opened, open},
};
use crate::{
    Handler,
    engine::conversation::{HandlerCall, Outcome},
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
    /// Removes the headers from the batch. From here on, nobody sees the sources that the kernel has reported.
    #[cold]
    pub(super) fn open_proxied(&mut self) {
        let received = &mut self.batch.as_mut().expect(NOT_LENT).received;
        let Opened { headers, too_long } = open(&self.socket, received);
        if too_long > 0 {
            self.socket.dropped(DropReason::Truncated, too_long as u64);
        }
        // What a client sends is what could be amplified.
        let amplification = &mut self.guarding.amplification;
        amplification.received = amplification.received.saturating_sub(headers);
    }
}
