//! What a worker receives from: the socket, also while another process has peers of it.

use std::sync::Arc;

#[cfg(unix)]
use crate::{handover::intake::SortedRecvHalf, stats::add};
use crate::{
    socket::SocketState,
    transport::{BATCH, RecvBatch, RecvHalf},
};

/// The receive half of a socket. If another process had the socket before, that process gets what belongs to it.
pub(super) fn recv_half(socket: &Arc<SocketState>) -> Box<dyn RecvHalf> {
    let half = socket.outbox.transport().recv_half(BATCH);
    #[cfg(unix)]
    if let Some(intake) = socket.hand_over.intake() {
        let (intake, counters) = (Arc::clone(intake), Arc::clone(&socket.counters));
        let mut half = SortedRecvHalf::new(half, intake, counters);
        if socket.proxies.is_some() {
            let socket = Arc::clone(socket);
            half.prepare(move |received| open_before_sorting(&socket, received));
        }
        return Box::new(half);
    }
    half
}

/// Whether the receive half removes the headers of proxies, since the sources behind them decide which process gets a datagram.
pub(super) fn opens_early(socket: &SocketState) -> bool {
    #[cfg(unix)]
    return socket.hand_over.intake().is_some();
    #[cfg(not(unix))]
    {
        let _ = socket;
        false
    }
}

/// What [`open`] has found.
pub(super) struct Opened {
    /// How many bytes the headers had.
    pub(super) headers: u64,
    /// How many datagrams are too long without their headers.
    pub(super) too_long: usize,
}

/// Removes the headers from datagrams that were just received, and counts what is refused.
pub(super) fn open(socket: &SocketState, received: &mut RecvBatch) -> Opened {
    let Some(proxies) = &socket.proxies else { return Opened { headers: 0, too_long: 0 } };
    let longest = socket.limits.max_datagram_size();
    let too_long = received.truncated();
    let headers = received.sift(longest, |source, datagram| {
        let payload = proxies.judge(source, datagram);
        payload.map_err(|refusal| socket.refused_proxy(source, &refusal)).ok()
    });
    Opened { headers, too_long: received.truncated() - too_long }
}

/// The same, before it is decided whether another process gets them. So what is not in the batch any more has to be counted as
/// received. What is too long is counted with the batch.
#[cfg(unix)]
fn open_before_sorting(socket: &SocketState, received: &mut RecvBatch) {
    let (datagrams, bytes) = (received.len() + received.truncated(), received.total());
    open(socket, received);
    let gone = datagrams - received.len() - received.truncated();
    add(&socket.counters.received, gone as u64);
    add(&socket.counters.received_bytes, bytes - received.total());
}
