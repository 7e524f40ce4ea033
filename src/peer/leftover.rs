//! What few conversations have: bytes that did not decode, and a packet that was put back.

use std::sync::Arc;

use super::Peer;
use crate::{
    limits::Limits,
    socket::{
        SocketState,
        mailbox::{release, reserve},
    },
    stats::Counters,
};

/// What few conversations have: the bytes of a datagram that did not decode, and a packet that was put back.
/// The next conversation of the worker uses the buffer again.
#[derive(Debug)]
pub(super) struct Leftover<Req> {
    counters: Arc<Counters>,
    undecoded: Vec<u8>,
    /// Whether `undecoded` holds a datagram, whose bytes then count as waiting.
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

    /// Keeps a copy of `datagram`, unless too much waits already.
    pub(super) fn keep(&mut self, datagram: &[u8], limits: &Limits) {
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
        // Larger buffers go back to the allocator: what they hold is counted only as long as it is needed.
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

impl<Req, Res> Peer<Req, Res> {
    /// Puts a packet back: the next `recv` returns it, in this conversation or, if the handler returns, in
    /// the next one, which then begins at once.
    ///
    /// A handler that waits for the answer to one request may so leave the next request to another
    /// conversation. One packet can be put back; another takes its place. It is dropped when the next
    /// conversation returns without it, and when serving ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Handler, Peer};
    ///
    /// enum Request {
    ///     Read(String),
    ///     Acknowledge(u16),
    /// }
    ///
    /// struct Files;
    ///
    /// impl Handler<Request, Vec<u8>> for Files {
    ///     async fn handle(&self, peer: &mut Peer<Request, Vec<u8>>) -> Result<(), BoxError> {
    ///         let Request::Read(name) = peer.recv().await? else { return Ok(()) };
    ///         peer.send(&name.into_bytes()).await?;
    ///         match peer.recv().await? {
    ///             Request::Acknowledge(_) => {}
    ///             // The peer wants something else now.
    ///             read => peer.put_back(read),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn put_back(&mut self, packet: Req) {
        self.leftover().put_back = Some(PutBack { packet, inherited: false });
    }

    /// Returns the bytes of the datagram that the last `recv` has returned a
    /// [`RecvError::Decode`](crate::RecvError::Decode) for: an answer may need a part of them, as a DNS server copies the id of the
    /// query that it could not read.
    ///
    /// It is `None` after a packet, once another `recv` waits, and if so much waits in the server that there
    /// is no room for a copy, see [`Limits::max_queued_bytes`](crate::Limits::max_queued_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer, RecvError};
    ///
    /// async fn refuse(peer: &mut Peer<String, Vec<u8>>) -> Result<(), BoxError> {
    ///     if let Err(RecvError::Decode(_)) = peer.recv().await
    ///         && let Some([id @ .., _]) = peer.undecoded().and_then(|bytes| bytes.first_chunk::<3>())
    ///     {
    ///         peer.send(&id.to_vec()).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn undecoded(&self) -> Option<&[u8]> {
        self.leftover.as_ref()?.undecoded()
    }

    pub(super) fn has_put_back(&self) -> bool {
        self.leftover.as_ref().is_some_and(|leftover| leftover.put_back.is_some())
    }

    /// Receives a packet that was put back.
    pub(super) fn receive_put_back(&mut self) -> Option<Req> {
        let leftover = self.leftover.as_mut()?;
        leftover.forget();
        if self.mailbox.is_closed() {
            // No packet comes after the end.
            leftover.put_back = None;
        }
        leftover.put_back.take().map(|PutBack { packet, .. }| packet)
    }

    fn leftover(&mut self) -> &mut Leftover<Req> {
        self.leftover.get_or_insert_with(|| Box::new(Leftover::new(&self.path.socket.counters)))
    }

    /// What nobody has asked for until now, nobody will: memory is for what waits.
    pub(super) fn forget_undecoded(&mut self) {
        self.leftover = None;
    }

    /// The conversation is over. Returns whether a packet was put back in it, which the next one receives.
    #[inline]
    pub(crate) fn finish(&mut self) -> bool {
        self.leftover.is_some() && self.pass_on()
    }

    #[cold]
    fn pass_on(&mut self) -> bool {
        let Some(leftover) = &mut self.leftover else { return false };
        leftover.forget();
        let left = leftover.put_back.take();
        leftover.put_back =
            left.filter(|left| !left.inherited).map(|left| PutBack { inherited: true, ..left });
        leftover.put_back.is_some()
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
