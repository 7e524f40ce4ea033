//! State that few conversations need: a datagram that did not decode, and a packet that was put back.

use std::sync::Arc;

use crate::{
    limits::LiveLimits,
    socket::{
        SocketState,
        mailbox::{release, reserve},
    },
    stats::Counters,
};

/// The bytes of a datagram that did not decode, and a packet that was put back. The worker's next
/// conversation reuses the buffer.
#[derive(Debug)]
pub(super) struct Leftover<Req> {
    counters: Arc<Counters>,
    undecoded: Vec<u8>,
    /// Whether `undecoded` holds a datagram. Its bytes then count as queued.
    kept: bool,
    pub(super) put_back: Option<PutBack<Req>>,
}

#[derive(Debug)]
pub(super) struct PutBack<Req> {
    pub(super) packet: Req,
    /// Whether an earlier conversation has put it back.
    pub(super) inherited: bool,
}

impl<Req> Leftover<Req> {
    pub(super) fn new(counters: &Arc<Counters>) -> Self {
        let counters = Arc::clone(counters);
        Self { counters, undecoded: Vec::new(), kept: false, put_back: None }
    }

    /// Keeps a copy of `datagram`, unless `max_total_queue_bytes` is reached.
    pub(super) fn keep(&mut self, datagram: &[u8], limits: &LiveLimits) {
        self.forget();
        self.kept = reserve(datagram.len(), limits, &self.counters);
        if self.kept {
            self.undecoded.extend_from_slice(datagram);
        }
    }

    pub(super) fn undecoded(&self) -> Option<&[u8]> {
        self.kept.then_some(&*self.undecoded)
    }

    pub(super) fn forget(&mut self) {
        // Larger buffers are freed, because their bytes count only while they hold a datagram.
        const KEPT: usize = 2 * 1024;

        if std::mem::take(&mut self.kept) {
            release(self.undecoded.len(), &self.counters);
        }
        self.undecoded.clear();
        self.undecoded.shrink_to(KEPT);
    }
}

impl<Req> Drop for Leftover<Req> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Keeps the bytes of a datagram that did not decode.
#[cold]
pub(super) fn keep<Req>(
    leftover: &mut Option<Box<Leftover<Req>>>,
    socket: &SocketState,
    datagram: &[u8],
) {
    leftover
        .get_or_insert_with(|| Box::new(Leftover::new(&socket.counters)))
        .keep(datagram, &socket.limits);
}
