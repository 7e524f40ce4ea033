//! What a worker receives from: the socket, behind what decides from whom a datagram comes, and which process gets it.

use std::{
    fmt, io,
    sync::Arc,
    task::{Context, Poll},
};

#[cfg(unix)]
use crate::handover::intake::SortedRecvHalf;
use crate::{
    limits::LiveLimits,
    proxy::TrustedProxies,
    socket::SocketState,
    stats::add,
    transport::{BATCH, RecvBatch, RecvHalf},
};

/// The receive half of a socket. If another process had the socket before, that process gets what belongs to it.
pub(super) fn recv_half(socket: &Arc<SocketState>) -> Box<dyn RecvHalf> {
    let mut half = socket.outbox.transport().recv_half(BATCH);
    if let Some(proxies) = &socket.proxies {
        let (proxies, socket) = (Arc::clone(proxies), Arc::clone(socket));
        half = Box::new(ProxiedRecvHalf { inner: half, proxies, socket });
    }
    #[cfg(unix)]
    if let Some(intake) = socket.hand_over.intake() {
        let (intake, counters) = (Arc::clone(intake), Arc::clone(&socket.counters));
        half = Box::new(SortedRecvHalf::new(half, intake, counters));
    }
    half
}

/// Removes the headers of proxies. So nobody else sees the sources that the kernel has reported.
struct ProxiedRecvHalf {
    inner: Box<dyn RecvHalf>,
    proxies: Arc<TrustedProxies>,
    socket: Arc<SocketState>,
}

impl ProxiedRecvHalf {
    /// The worker counts what is in the batch as received, so this counts what is not in it any more: headers, and refused
    /// datagrams.
    fn open(&self, received: &mut RecvBatch) {
        let Self { proxies, socket, .. } = self;
        let (datagrams, bytes) = (received.len() + received.truncated(), received.total());
        received.sift(socket.limits.max_datagram_size(), |source, datagram| {
            let payload = proxies.judge(source, datagram);
            payload.map_err(|refusal| socket.refused_proxy(source, &refusal)).ok()
        });
        let refused = datagrams - received.len() - received.truncated();
        add(&socket.counters.received, refused as u64);
        add(&socket.counters.received_bytes, bytes - received.total());
    }
}

impl RecvHalf for ProxiedRecvHalf {
    fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        let received = self.inner.try_recv(batch);
        self.open(batch);
        received
    }

    fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        let received = self.inner.recv_now(batch);
        self.open(batch);
        received
    }

    fn set_timestamps(&mut self, limits: Option<&Arc<LiveLimits>>) -> bool {
        self.inner.set_timestamps(limits)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_ready(cx)
    }
}

impl fmt::Debug for ProxiedRecvHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxiedRecvHalf").field("inner", &self.inner).finish_non_exhaustive()
    }
}
