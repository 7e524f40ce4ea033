//! A request that waits on a socket.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::{Request, Socket};
use crate::{
    chunk::PacketId,
    lock::locked,
    request::{
        slot::Slot,
        transfer::{Progress, Transfer},
    },
    token::Stamped,
};

impl Socket {
    /// Responses with `id` that answer `datagram` go to `slot` from now on.
    pub(in crate::request) fn register(
        self: &Arc<Self>,
        id: u64,
        datagram: Arc<[u8]>,
        slot: &Arc<Slot>,
    ) -> Registered {
        let transfer = self.core.chunked.as_ref().map(|options| {
            let number = self.core.next_number.fetch_add(1, Relaxed);
            Arc::new(Mutex::new(Transfer::new(options, PacketId { id, number }, &datagram)))
        });
        let is_in_chunks =
            transfer.as_ref().is_some_and(|transfer| locked(transfer).is_in_chunks());
        let stamped = self.core.jar.as_ref().map(|_| {
            // Chunks are made of the datagram itself.
            let stamped = if is_in_chunks { Stamped::default() } else { Stamped::new(&datagram) };
            Arc::new(Mutex::new(stamped))
        });
        let request = Request {
            datagram: Arc::clone(&datagram),
            slot: Arc::clone(slot),
            transfer: transfer.clone(),
            stamped: stamped.clone(),
        };
        locked(&self.core.waiting).requests.insert(id, request);
        let socket = Arc::clone(self);
        Registered { socket, id, datagram, transfer, stamped, rest: Duration::ZERO }
    }
}

/// The id of a request on one socket. While this exists, responses with the id reach the request.
#[derive(Debug)]
pub(in crate::request) struct Registered {
    pub(in crate::request) socket: Arc<Socket>,
    id: u64,
    /// What is sent, without its envelope.
    datagram: Arc<[u8]>,
    transfer: Option<Arc<Mutex<Transfer>>>,
    stamped: Option<Arc<Mutex<Stamped>>>,
    /// How long a single id rests after this request.
    pub(in crate::request) rest: Duration,
}

impl Registered {
    /// The chunks and lists that attempt number `attempt` sends, from 0. If the request is not in chunks, it follows.
    pub(in crate::request) fn parts(&self, attempt: u32) -> Vec<Vec<u8>> {
        let Some(transfer) = &self.transfer else { return Vec::new() };
        let mut transfer = locked(transfer);
        let parts = match attempt {
            0 => transfer.begin(&self.datagram, Instant::now()),
            _ => transfer.repeat(&self.datagram),
        };
        drop(transfer);
        self.socket.core.stamp_parts(parts, self.stamped.as_deref())
    }

    /// The datagram of an attempt, in its envelope if there are envelopes. If the request is in chunks, there is none.
    pub(in crate::request) fn whole(&self) -> Option<Cow<'_, [u8]>> {
        if self.is_in_chunks() {
            return None;
        }
        Some(match (&self.socket.core.jar, &self.stamped) {
            (Some(jar), Some(stamped)) => locked(stamped).stamp(jar).into(),
            _ => Cow::Borrowed(&*self.datagram),
        })
    }

    /// Whether the request was sent again because of a challenge.
    pub(in crate::request) fn is_challenged(&self) -> bool {
        self.stamped.as_ref().is_some_and(|stamped| locked(stamped).is_challenged)
    }

    /// Whether the request is sent in chunks.
    pub(in crate::request) fn is_in_chunks(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| locked(transfer).is_in_chunks())
    }

    /// When a chunk of the response, or news about chunks of the request, have arrived last, and how often.
    pub(in crate::request) fn progress(&self) -> Option<Progress> {
        locked(self.transfer.as_ref()?).progress()
    }

    /// Whether a response arrives in chunks.
    pub(in crate::request) fn is_answering(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| locked(transfer).is_answering())
    }

    /// Takes the last round-trip time of chunks, if there is a new one.
    pub(in crate::request) fn take_round_trip(&self) -> Option<Duration> {
        locked(self.transfer.as_ref()?).take_round_trip()
    }

    /// What is sent when a timer has expired after there was progress.
    pub(in crate::request) fn resume(&self) -> Vec<Vec<u8>> {
        let Some(transfer) = &self.transfer else { return Vec::new() };
        let parts = locked(transfer).resume(&self.datagram);
        self.socket.core.stamp_parts(parts, self.stamped.as_deref())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let core = &self.socket.core;
        let mut waiting = locked(&core.waiting);
        waiting.requests.remove(&self.id);
        waiting.rests_until = Instant::now().checked_add(self.rest);
        drop(waiting);
        if self.transfer.is_some() || self.stamped.is_some() {
            // From now on nothing is added for it.
            locked(&core.unsent).retain(|(id, _)| *id != self.id);
        }
    }
}
