//! The reply cache of one socket, which its worker, conversations and senders share.

use std::{hash::BuildHasher, sync::Arc};

use tokio::time::Instant;

use super::{
    reply::Reply,
    shared::Shared,
    table::{Known, Request},
    ticket::Ticket,
};
use crate::{
    Addr,
    chunk::PacketId,
    panic::{self, Panicked},
};

/// The part of one socket in the reply cache.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    shared: Arc<Shared>,
    /// The number of the address that the socket is bound to. The workers of an address have the same number.
    bound: usize,
}

/// What the reply cache knows about a datagram that has arrived.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// It has no id, so it is never a repetition.
    Unnumbered,
    /// It is a request that is not known.
    New(Ticket),
    /// It repeats a request that has no reply.
    Duplicate,
    /// It repeats a request that has this reply.
    Answered(Reply),
}

/// How much of a reply is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Bytes,
    /// Only that there was one, because it has more than bytes.
    #[cfg_attr(not(unix), expect(dead_code, reason = "other systems pass nothing else"))]
    Nothing,
}

impl Replies {
    pub(crate) const fn new(shared: Arc<Shared>, bound: usize) -> Self {
        Self { shared, bound }
    }

    /// Looks up a datagram that has arrived from `peer`. If it is a new request, it is known from now on. If it came in
    /// chunks, it had this name.
    ///
    /// # Errors
    ///
    /// Fails if the user's code panics.
    pub(crate) fn arrive(
        &self,
        peer: &Addr,
        datagram: &[u8],
        in_chunks: Option<PacketId>,
    ) -> Result<Arrival, Panicked> {
        if peer.is_unnamed() {
            return Ok(Arrival::Unnumbered);
        }
        let Some((id, hash)) = self.identify(peer, datagram)? else {
            return Ok(Arrival::Unnumbered);
        };
        let digest = match in_chunks {
            None => self.shared.bytes.hash_one(datagram),
            Some(packet) => self.digest(packet),
        };
        let request = Request { bound: self.bound, peer, id, hash };
        let known = self.shared.change(|table| table.arrive(&request, digest, Instant::now()));
        Ok(match known {
            Known::No(number) => Arrival::New(Ticket::new(Arc::clone(&self.shared), number)),
            Known::Full => Arrival::Unnumbered,
            Known::Unanswered => Arrival::Duplicate,
            Known::Answered(bytes, name, validated) => {
                Arrival::Answered(Reply::new(bytes, id, name, validated))
            }
        })
    }

    /// Looks up a request of which a chunk has arrived, and which is not incomplete. Returns `None` if it is not known.
    pub(crate) fn repeated(&self, peer: &Addr, packet: PacketId) -> Option<Arrival> {
        let request = self.request(peer, packet.id);
        let digest = self.digest(packet);
        let known = self.shared.change(|table| table.find(&request, digest, Instant::now()));
        Some(match known? {
            Known::Answered(bytes, name, validated) => {
                Arrival::Answered(Reply::new(bytes, packet.id, name, validated))
            }
            _ => Arrival::Duplicate,
        })
    }

    /// The reply to `peer` that has this name in chunks, and whether the peer was validated when it was sent.
    pub(crate) fn reply(&self, peer: &Addr, packet: PacketId) -> Option<(Arc<[u8]>, bool)> {
        let request = self.request(peer, packet.id);
        self.shared.change(|table| table.named(&request, packet.number, Instant::now()))
    }

    /// Whether a datagram has this id.
    ///
    /// # Errors
    ///
    /// Fails if the user's code panics.
    pub(crate) fn has_id(&self, datagram: &[u8], id: u64) -> Result<bool, Panicked> {
        panic::catch(|| (self.shared.read_id)(datagram) == Some(id))
    }

    /// Stands for the bytes of a request that comes in chunks: these have the same name only if they are the same.
    fn digest(&self, packet: PacketId) -> u64 {
        self.shared.bytes.hash_one(packet)
    }

    /// Records `reply`, a datagram to `peer`, if it is the first one with the id of a delivered request. If it is sent in
    /// chunks, it gets a name. `validated` says whether the address of the peer is validated.
    ///
    /// # Errors
    ///
    /// Fails if the user's code panics.
    pub(crate) fn record(
        &self,
        peer: &Addr,
        reply: &[u8],
        keep: Keep,
        in_chunks: bool,
        validated: bool,
    ) -> Result<Recorded, Panicked> {
        let packet = reply.get(self.shared.reply_header..).unwrap_or_default();
        let Some((id, hash)) = self.identify(peer, packet)? else { return Ok(Recorded(None)) };
        let request = Request { bound: self.bound, peer, id, hash };
        let kept = (keep == Keep::Bytes).then_some(reply);
        let shared = &self.shared;
        Ok(Recorded(shared.change(|table| {
            let number = table.answer(&request, kept)?;
            if validated {
                table.validate(number);
            }
            let packet = shared.name(table, number, id, in_chunks);
            Some(Kept { shared: Arc::clone(shared), number, packet })
        })))
    }

    /// Whether there is a reply store.
    pub(crate) fn has_store(&self) -> bool {
        self.shared.storing.is_some()
    }

    /// Waits until no call of the reply store runs in the background.
    pub(crate) async fn store_is_idle(&self) {
        if let Some(storing) = &self.shared.storing {
            storing.is_idle().await;
        }
    }

    /// The id in a datagram from or to `peer`, and the hash of both.
    fn identify(&self, peer: &Addr, datagram: &[u8]) -> Result<Option<(u64, u64)>, Panicked> {
        let id = panic::catch(|| (self.shared.read_id)(datagram))?;
        Ok(id.map(|id| (id, self.request(peer, id).hash)))
    }

    fn request<'a>(&self, peer: &'a Addr, id: u64) -> Request<'a> {
        let hash = self.shared.conversations.hash_one((self.bound, peer, id));
        Request { bound: self.bound, peer, id, hash }
    }

    /// The number of the address that the socket is bound to.
    pub(crate) const fn bound(&self) -> usize {
        self.bound
    }
}

/// A reply that is recorded and not sent yet, or nothing. It is recorded first, because the peer may repeat its request
/// as soon as the reply leaves. If it is not sent, the drop takes it back.
#[derive(Debug, Default)]
#[must_use = "the drop takes the reply back"]
pub(crate) struct Recorded(Option<Kept>);

#[derive(Debug)]
struct Kept {
    shared: Arc<Shared>,
    number: u64,
    packet: Option<PacketId>,
}

impl Recorded {
    /// The name of the reply in chunks, if it is kept.
    pub(crate) fn packet(&self) -> Option<PacketId> {
        self.0.as_ref()?.packet
    }

    /// The reply was sent.
    #[inline]
    pub(crate) fn sent(mut self) {
        if let Some(Kept { shared, number, .. }) = self.0.take() {
            shared.sent(number);
        }
    }
}

impl Drop for Recorded {
    #[inline]
    fn drop(&mut self) {
        if let Some(Kept { shared, number, .. }) = self.0.take() {
            shared.change(|table| table.take_back(number));
        }
    }
}
