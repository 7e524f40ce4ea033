use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::task::coop;

use super::Encode;
use crate::{
    SendError,
    socket::{SocketState, batch_context::BatchContext},
    transport::{Route, Scratch, max_len},
};

/// Sends `packet`: into the batch of the batch that is in progress on this thread, if there is one.
#[inline]
pub(super) const fn send<'a, Res, E>(
    socket: &'a SocketState,
    protocol: &'a E,
    to: &'a Route,
    packet: &'a Res,
) -> Sending<'a, Res, E>
where
    E: Encode<Res> + ?Sized,
{
    Sending { socket, protocol, to, packet, waiting: None }
}

/// A packet on its way out. Made by hand as [`Receiving`](super::recv::Receiving) is, for the same reason.
pub(super) struct Sending<'a, Res, E: ?Sized> {
    socket: &'a SocketState,
    protocol: &'a E,
    to: &'a Route,
    packet: &'a Res,
    /// Once the outbox is full: what waits for room in it.
    waiting: Option<Waiting<'a>>,
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>;

impl<Res, E: Encode<Res> + ?Sized> Sending<'_, Res, E> {
    fn poll_outbox(&mut self, max: usize, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // Whoever only sends must not keep the thread from the others.
        let budget = ready!(coop::poll_proceed(cx));
        budget.made_progress();
        let encode = |datagram: &mut Vec<u8>| self.protocol.encode(self.packet, datagram);
        let datagram = Scratch::encode(max, encode)?;
        let (outbox, to) = (&self.socket.outbox, self.to);
        if outbox.try_send(to, &datagram)? {
            return Poll::Ready(Ok(()));
        }
        let waiting = async move { outbox.send(to, &datagram).await };
        self.waiting.insert(Box::pin(waiting)).as_mut().poll(cx)
    }
}

impl<Res, E: Encode<Res> + ?Sized> Future for Sending<'_, Res, E> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(waiting) = &mut this.waiting {
            return waiting.as_mut().poll(cx);
        }
        let outbox = &this.socket.outbox;
        let max = max_len(&this.to.peer);
        let inline = BatchContext::with(this.socket.id, |batch| {
            if !outbox.takes_inline(batch) {
                return None;
            }
            if batch.poll_proceed(cx).is_pending() {
                return Some(Poll::Pending);
            }
            let encode = |datagram: &mut Vec<u8>| this.protocol.encode(this.packet, datagram);
            Some(Poll::Ready(batch.replies.encode(this.to, max, encode)))
        });
        match inline.flatten() {
            Some(sent) => sent,
            None => this.poll_outbox(max, cx),
        }
    }
}
