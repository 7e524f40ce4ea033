//! Sends a packet: with the batch of the worker, or at once.

use std::{
    borrow::Borrow,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::task::coop;

use super::protocol::Encode;
use crate::{
    SendError,
    chunk::Chunks,
    guard::Budget,
    reply_cache::{Keep, Recorded},
    socket::{SocketState, batch_context::BatchContext},
    transport::{Route, Scratch, Transport, max_len},
};

/// The socket, the protocol and the route that a packet to one peer needs.
pub(super) struct SendPath<E: ?Sized> {
    pub(super) socket: Arc<SocketState>,
    pub(super) protocol: Arc<E>,
    pub(super) route: Route,
    /// What may be sent before the peer is validated, if the server has a guard.
    pub(super) budget: Option<Arc<Budget>>,
}

impl<E: ?Sized> SendPath<E> {
    /// Pays for a datagram of `len` bytes, if the server has a guard.
    #[inline]
    pub(super) fn pay(&self, len: usize) -> Result<(), SendError> {
        match &self.budget {
            Some(budget) => self.pay_from(budget, len),
            None => Ok(()),
        }
    }

    /// Records a reply before it is sent, if the server has a reply cache.
    #[inline]
    pub(super) fn record(&self, reply: &[u8], keep: Keep) -> Recorded {
        let validated = || self.budget.as_ref().is_none_or(|budget| budget.is_validated());
        self.socket.record(&self.route.peer, reply, keep, validated())
    }

    #[inline(never)]
    fn pay_from(&self, budget: &Budget, len: usize) -> Result<(), SendError> {
        let paid = budget.spend(len, self.route.peer.ip());
        if let Err(error) = &paid {
            self.socket.not_sent(&self.route.peer, error);
        }
        paid
    }

    /// Sends `packet`. If a batch of this socket is in progress on this thread, the packet leaves with it.
    #[inline]
    pub(super) const fn send<Res: ?Sized, B>(&self, packet: B) -> Sending<'_, Res, B, E>
    where
        B: Borrow<Res>,
        E: Encode<Res>,
    {
        Sending { path: self, packet, is_reply: false, waiting: None, of: PhantomData }
    }

    /// Sends the reply of a function, which does not learn what becomes of it. So it may leave with the batch
    /// over every transport.
    #[inline]
    pub(super) const fn reply<Res, B>(&self, packet: B) -> Sending<'_, Res, B, E>
    where
        B: Borrow<Res>,
        E: Encode<Res>,
    {
        Sending { path: self, packet, is_reply: true, waiting: None, of: PhantomData }
    }
}

/// Completes when one more datagram may be sent; it is pending when other tasks must run first.
fn proceed(socket: &SocketState, cx: &mut Context<'_>) -> Poll<()> {
    BatchContext::with(socket.id, |batch| Some(batch.poll_proceed(cx)))
        .unwrap_or_else(|| coop::poll_proceed(cx).map(|budget| budget.made_progress()))
}

/// The future that sends a packet. It is written by hand for the same reason as
/// [`Receiving`](super::recv::Receiving).
pub(super) struct Sending<'a, Res: ?Sized, B, E: ?Sized> {
    path: &'a SendPath<E>,
    packet: B,
    /// Whether it is the reply of a function.
    is_reply: bool,
    /// Sends the datagram while the outbox is full.
    waiting: Option<Waiting<'a>>,
    of: PhantomData<fn(&Res)>,
}

/// No field is pinned.
impl<Res: ?Sized, B, E: ?Sized> Unpin for Sending<'_, Res, B, E> {}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>;

impl<Res: ?Sized, B: Borrow<Res>, E: Encode<Res> + ?Sized> Sending<'_, Res, B, E> {
    /// Sends the packet over a transport that sends each datagram at once.
    fn poll_at_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let SendPath { socket, protocol, route, .. } = self.path;
        ready!(proceed(socket, cx));
        let encode = |datagram: &mut Vec<u8>| protocol.encode(self.packet.borrow(), datagram);
        let datagram = Scratch::encode(max_len(&route.peer), encode)?;
        self.path.pay(datagram.len())?;
        let recorded = self.path.record(&datagram, Keep::Bytes);
        self.send_at_once(datagram, recorded, cx)
    }

    fn send_at_once(
        &mut self,
        datagram: Scratch,
        recorded: Recorded,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let SendPath { socket, route, .. } = self.path;
        if self.is_reply {
            let batched = BatchContext::with(socket.id, |batch| {
                socket.outbox.takes_reply(&mut batch.replies, route, &datagram).then_some(())
            });
            if batched.is_some() {
                recorded.sent();
                return Poll::Ready(Ok(()));
            }
        }
        socket.send_batched();
        let len = datagram.len();
        let send = |socket: &dyn Transport| socket.try_send(route, &datagram);
        if socket.outbox.try_send_at_once(route, len, send)? {
            recorded.sent();
            return Poll::Ready(Ok(()));
        }
        let waiting = async move {
            let send = |socket: &dyn Transport| socket.try_send(route, &datagram);
            let SocketState { outbox, limits, .. } = &**socket;
            outbox.send_at_once(route, len, limits.idle_timeout(), send).await?;
            recorded.sent();
            Ok(())
        };
        self.waiting.insert(Box::pin(waiting)).as_mut().poll(cx)
    }

    #[inline(never)] // `poll` stays small for UDP without a reply cache.
    fn poll_otherwise(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if let Some(chunks) = &self.path.socket.chunks {
            self.poll_chunked(chunks, cx)
        } else if self.path.socket.outbox.sends_at_once() {
            self.poll_at_once(cx)
        } else if self.path.budget.is_some() {
            self.poll_guarded(cx)
        } else {
            self.poll_recorded(cx)
        }
    }

    /// Does the same as [`poll_recorded`](Self::poll_recorded), if the guard allows it.
    fn poll_guarded(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let SendPath { socket, protocol, route, .. } = self.path;
        ready!(proceed(socket, cx));
        let encode = |datagram: &mut Vec<u8>| protocol.encode(self.packet.borrow(), datagram);
        let datagram = Scratch::encode(max_len(&route.peer), encode)?;
        self.path.pay(datagram.len())?;
        let recorded = self.path.record(&datagram, Keep::Bytes);
        if socket.outbox.joins_batch(socket.id, route, [&datagram[..]].into_iter()) {
            // It leaves when the batch ends.
            recorded.sent();
            return Poll::Ready(Ok(()));
        }
        self.send_by_outbox(datagram, recorded, cx)
    }

    /// Sends the packet with the batch, or at once, and records it in the reply cache.
    fn poll_recorded(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let SendPath { socket, protocol, route, .. } = self.path;
        let inline = BatchContext::with(socket.id, |batch| {
            if !socket.outbox.takes_inline(&mut batch.replies) {
                return None;
            }
            if batch.poll_proceed(cx).is_pending() {
                return Some(Poll::Pending);
            }
            let encode = |datagram: &mut Vec<u8>| protocol.encode(self.packet.borrow(), datagram);
            let encoded = batch.replies.encode(route, max_len(&route.peer), encode);
            if encoded.is_ok()
                && let Some(reply) = batch.replies.last()
            {
                // It leaves when the batch ends.
                self.path.record(reply, Keep::Bytes).sent();
            }
            Some(Poll::Ready(encoded))
        });
        inline.unwrap_or_else(|| self.poll_outbox(cx))
    }

    #[inline(never)] // The same.
    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // A task that only sends must still yield to other tasks.
        let budget = ready!(coop::poll_proceed(cx));
        budget.made_progress();
        let SendPath { protocol, route, .. } = self.path;
        let encode = |datagram: &mut Vec<u8>| protocol.encode(self.packet.borrow(), datagram);
        let datagram = Scratch::encode(max_len(&route.peer), encode)?;
        let recorded = self.path.record(&datagram, Keep::Bytes);
        self.send_by_outbox(datagram, recorded, cx)
    }

    fn send_by_outbox(
        &mut self,
        datagram: Scratch,
        recorded: Recorded,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let SendPath { socket, route, .. } = self.path;
        if socket.outbox.try_send(route, &datagram)? {
            recorded.sent();
            return Poll::Ready(Ok(()));
        }
        let waiting = async move {
            socket.outbox.send(route, &datagram).await?;
            recorded.sent();
            Ok(())
        };
        self.waiting.insert(Box::pin(waiting)).as_mut().poll(cx)
    }
}

impl<'a, Res: ?Sized, B: Borrow<Res>, E: Encode<Res> + ?Sized> Sending<'a, Res, B, E> {
    /// Sends the packet, in chunks if it is too long for one datagram.
    fn poll_chunked(
        &mut self,
        chunks: &'a Chunks,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let SendPath { socket, protocol, route, .. } = self.path;
        ready!(proceed(socket, cx));
        let encode = |datagram: &mut Vec<u8>| protocol.encode(self.packet.borrow(), datagram);
        let datagram = Scratch::encode(chunks.max_len(), encode);
        let datagram = datagram.map_err(|error| without_header(error, chunks))?;
        self.path.pay(datagram.len())?;
        let recorded = self.path.record(&datagram, Keep::Bytes);
        if chunks.splits(&datagram) {
            return self.send_in_chunks(chunks, &datagram, recorded, cx);
        }
        if socket.outbox.sends_at_once() {
            return self.send_at_once(datagram, recorded, cx);
        }
        if socket.outbox.joins_batch(socket.id, route, [&datagram[..]].into_iter()) {
            recorded.sent();
            return Poll::Ready(Ok(()));
        }
        self.send_by_outbox(datagram, recorded, cx)
    }

    /// Sends the first chunks of a datagram. The peer asks for the others, which are in the reply cache.
    fn send_in_chunks(
        &mut self,
        chunks: &'a Chunks,
        datagram: &[u8],
        recorded: Recorded,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let SendPath { socket, route, .. } = self.path;
        let Some(packet) = recorded.packet() else {
            let (len, max) = (datagram.len(), chunks.longest_datagram());
            return Poll::Ready(Err(without_header(SendError::TooLarge { len, max }, chunks)));
        };
        let first: Vec<_> = chunks.first(packet, datagram).collect();
        if socket.outbox.joins_batch(socket.id, route, first.iter().map(Vec::as_slice)) {
            recorded.sent();
            return Poll::Ready(Ok(()));
        }
        socket.send_batched();
        let waiting = async move {
            let SocketState { outbox, limits, .. } = &**socket;
            for chunk in &first {
                if outbox.sends_at_once() {
                    let send = |socket: &dyn Transport| socket.try_send(route, chunk);
                    outbox.send_at_once(route, chunk.len(), limits.idle_timeout(), send).await?;
                } else {
                    outbox.send(route, chunk).await?;
                }
            }
            recorded.sent();
            Ok(())
        };
        self.waiting.insert(Box::pin(waiting)).as_mut().poll(cx)
    }
}

/// The lengths of packets, instead of those of datagrams that have their kind in front.
fn without_header(error: SendError, chunks: &Chunks) -> SendError {
    let header = chunks.header();
    match error {
        SendError::TooLarge { len, max } => {
            SendError::TooLarge { len: len - header, max: max - header }
        }
        error => error,
    }
}

impl<Res: ?Sized, B: Borrow<Res>, E: Encode<Res> + ?Sized> Future for Sending<'_, Res, B, E> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(waiting) = &mut this.waiting {
            return waiting.as_mut().poll(cx);
        }
        let SendPath { socket, protocol, route, budget } = this.path;
        if !socket.sends_in_batches || budget.is_some() {
            return this.poll_otherwise(cx);
        }
        let inline = BatchContext::with(socket.id, |batch| {
            if !socket.outbox.takes_inline(&mut batch.replies) {
                return None;
            }
            if batch.poll_proceed(cx).is_pending() {
                return Some(Poll::Pending);
            }
            let encode = |datagram: &mut Vec<u8>| protocol.encode(this.packet.borrow(), datagram);
            Some(Poll::Ready(batch.replies.encode(route, max_len(&route.peer), encode)))
        });
        inline.unwrap_or_else(|| this.poll_outbox(cx))
    }
}
