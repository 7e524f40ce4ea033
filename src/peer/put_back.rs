//! The packet that a handler puts back, and the bytes of a datagram that did not decode.

use super::{
    Peer,
    leftover::{Leftover, PutBack},
};

impl<Req, Res> Peer<Req, Res> {
    /// Puts a packet back, so that the next `recv` returns it. If the handler returns before that, the next
    /// conversation with the peer begins at once and receives it.
    ///
    /// With this, a handler that waits for an answer can leave an unexpected request to the next
    /// conversation. Only one packet can be put back; a second one replaces the first. The packet is dropped
    /// if the next conversation returns without receiving it, and when a shutdown begins.
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
    ///         peer.send(name.into_bytes()).await?;
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

    /// Returns the bytes of the datagram for which the last `recv` has returned
    /// [`RecvError::Decode`](crate::RecvError::Decode). An answer may need a part of them. For example, a DNS
    /// server copies the id of a query that it could not decode.
    ///
    /// Returns `None` if the last `recv` returned a packet, and as soon as the next `recv` waits. Also
    /// returns `None` if the server had no room for a copy, because of
    /// [`Limits::max_total_queue_bytes`](crate::Limits::max_total_queue_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer, RecvError};
    ///
    /// /// Answers a datagram that does not decode with its first two bytes, which are its id.
    /// async fn refuse(peer: &mut Peer<String, Vec<u8>>) -> Result<(), BoxError> {
    ///     // The answer must be shorter than the datagram, so this takes at least 3 bytes. If the
    ///     // other side does the same, it does not answer the answer.
    ///     if let Err(RecvError::Decode(_)) = peer.recv().await
    ///         && let Some(bytes) = peer.undecoded()
    ///         && let Some([id @ .., _]) = bytes.first_chunk::<3>()
    ///     {
    ///         peer.send(id.to_vec()).await?;
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
        if self.mailbox.drops_put_back() {
            // After the end, `recv` returns no packets.
            leftover.put_back = None;
        }
        leftover.put_back.take().map(|PutBack { packet, .. }| packet)
    }

    fn leftover(&mut self) -> &mut Leftover<Req> {
        self.leftover.get_or_insert_with(|| Box::new(Leftover::new(&self.path.socket.counters)))
    }

    /// Drops the datagram that did not decode. A conversation that waits does not need it any more.
    pub(super) fn forget_undecoded(&mut self) {
        self.leftover = None;
    }

    /// Ends the conversation. Returns whether a packet was put back for the next conversation.
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
