//! The next datagram, before it is received: to wait for it, and to drop it.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use super::{Peer, Progress, recv::Receiving, step::Step};
use crate::{DropReason, RecvError, socket::batch_context::BatchContext};

impl<Req, Res> Peer<Req, Res> {
    /// Completes with true when a datagram waits, and with false when nothing is received any more.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<bool> {
        self.path.socket.drop_late(&self.mailbox, false);
        let next = self.mailbox.poll_next(cx);
        if next.is_pending() {
            self.forget_undecoded();
        }
        next
    }

    /// Completes when nothing is received any more.
    pub(crate) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<()> {
        match self.mailbox.poll_next(cx) {
            Poll::Ready(false) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Ends the wait of `poll_closed`: the conversation does something else than wait for a datagram.
    pub(crate) fn stop_waiting(&self) {
        self.mailbox.stop_waiting();
    }

    /// The longest time that a datagram may wait before it is received.
    pub(crate) fn max_queue_time(&self) -> Option<Duration> {
        self.path.socket.limits.queue_time().longest()
    }

    /// Drops the datagrams that have waited for too long. Returns whether the one that has opened the conversation is among
    /// them.
    pub(crate) fn drop_late(&mut self) -> bool {
        self.path.socket.drop_late(&self.mailbox, true)
    }

    /// Receives the datagram that waits. Returns `None` if there is none any more.
    pub(crate) async fn recv_next(&mut self) -> Option<Result<Req, RecvError>> {
        let mut receiving = pin!(Receiving { peer: self, step: Step::Within(Duration::MAX) });
        poll_fn(|cx| match receiving.as_mut().poll(cx) {
            Poll::Ready(received) => Poll::Ready(Some(received)),
            Poll::Pending if receiving.peer.mailbox.has_next() => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Drops and counts the next datagram, if one waits. The reply cache forgets it, so its repetition is a new request.
    #[cold]
    pub(crate) fn drop_next(&mut self, reason: DropReason) {
        let socket = &self.path.socket;
        let opening = matches!(self.progress, Progress::Opening)
            .then(|| BatchContext::with(socket.id, |batch| batch.discard(self.serial)))
            .flatten();
        self.progress = Progress::Received;
        // What comes with the datagram is dropped without a lock, because of its ticket.
        let dropped = match opening {
            Some(passed) => {
                drop(passed);
                true
            }
            None => self.mailbox.take_next(&socket.counters).is_some(),
        };
        if dropped {
            socket.dropped(reason, 1);
        }
    }
}
