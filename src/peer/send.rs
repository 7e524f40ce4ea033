use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::task::coop;

use crate::{
    SendError,
    socket::{Outlet, batch_context::BatchContext},
    transport::{Route, Scratch, max_len},
};

/// Sends `packet`: into the batch of the batch that is in progress on this thread, if there is one.
#[inline]
pub(super) const fn send<'a, Res, O>(
    outlet: &'a O,
    to: &'a Route,
    packet: &'a Res,
) -> Sending<'a, Res, O>
where
    O: Outlet<Res> + ?Sized,
{
    Sending { outlet, to, packet, waiting: None }
}

/// A packet on its way out. Made by hand as [`Receiving`](super::recv::Receiving) is, for the same reason.
pub(super) struct Sending<'a, Res, O: ?Sized> {
    outlet: &'a O,
    to: &'a Route,
    packet: &'a Res,
    /// Once the outbox is full: what waits for room in it.
    waiting: Option<Waiting<'a>>,
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>;

impl<Res, O: Outlet<Res> + ?Sized> Sending<'_, Res, O> {
    fn poll_outbox(&mut self, max: usize, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // Whoever only sends must not keep the thread from the others.
        let budget = ready!(coop::poll_proceed(cx));
        budget.made_progress();
        let datagram = Scratch::encode(max, |datagram| self.outlet.encode(self.packet, datagram))?;
        let (outbox, to) = (self.outlet.outbox(), self.to);
        if outbox.try_send(to, &datagram)? {
            return Poll::Ready(Ok(()));
        }
        let waiting = async move { outbox.send(to, &datagram).await };
        self.waiting.insert(Box::pin(waiting)).as_mut().poll(cx)
    }
}

impl<Res, O: Outlet<Res> + ?Sized> Future for Sending<'_, Res, O> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(waiting) = &mut this.waiting {
            return waiting.as_mut().poll(cx);
        }
        let outbox = this.outlet.outbox();
        let max = max_len(&this.to.peer);
        let inline = BatchContext::with(this.outlet.id(), |batch| {
            if !outbox.takes_inline(batch) {
                return None;
            }
            if batch.poll_proceed(cx).is_pending() {
                return Some(Poll::Pending);
            }
            let encode = |datagram: &mut Vec<u8>| this.outlet.encode(this.packet, datagram);
            Some(Poll::Ready(batch.replies.encode(this.to, max, encode)))
        });
        match inline.flatten() {
            Some(sent) => sent,
            None => this.poll_outbox(max, cx),
        }
    }
}
