//! Datagrams that trusted proxies have passed on: each begins with a header that says from whom it comes.

use super::{NOT_LENT, Worker};
#[cfg(unix)]
use crate::stats::add;
use crate::{
    Handler,
    engine::conversation::{HandlerCall, Outcome},
    socket::SocketState,
    stats::DropReason,
    transport::RecvBatch,
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
        let headers = open(&self.socket, received);
        // What a client sends is what could be amplified.
        let amplification = &mut self.guarding.amplification;
        amplification.received = amplification.received.saturating_sub(headers);
    }
}

/// Removes the headers from datagrams that were just received, and counts what is refused. Returns how many bytes they had.
fn open(socket: &SocketState, received: &mut RecvBatch) -> u64 {
    let Some(proxies) = &socket.proxies else { return 0 };
    let longest = socket.limits.max_datagram_size();
    let too_long = received.truncated();
    let headers = received.sift(longest, |source, datagram| {
        let payload = proxies.judge(source, datagram);
        payload.map_err(|refusal| socket.refused_proxy(source, &refusal)).ok()
    });
    let too_long = received.truncated() - too_long;
    if too_long > 0 {
        socket.dropped(DropReason::Truncated, too_long as u64);
    }
    headers
}

/// The same, before it is decided whether another process gets them. So what is not in the batch any more has to be counted as
/// received.
#[cfg(unix)]
pub(super) fn open_before_sorting(socket: &SocketState, received: &mut RecvBatch) {
    let (datagrams, bytes) = (received.len() + received.truncated(), received.total());
    open(socket, received);
    let gone = datagrams - received.len() - received.truncated();
    add(&socket.counters.received, gone as u64);
    add(&socket.counters.received_bytes, bytes - received.total());
}
