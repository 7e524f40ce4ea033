//! What a handler does with several packets of a peer: all that are there, a stream of them, many at once.

use std::{
    borrow::Borrow,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures_core::Stream;
use tokio::time::Instant;

use super::{
    Peer,
    recv::{Receiving, Step},
};
use crate::{RecvError, SendError};

impl<Req, Res> Peer<Req, Res> {
    /// Receives a packet that is there already, or returns `None`.
    ///
    /// It does not wait, and so it does not give way to other tasks: a handler that calls it again and again
    /// without awaiting something keeps its thread.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), but for [`RecvError::Idle`].
    ///
    /// # Examples
    ///
    /// A handler that only cares for the last word of its peer:
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer};
    ///
    /// async fn latest(peer: &mut Peer<u32, u32>) -> Result<u32, BoxError> {
    ///     let mut latest = peer.recv().await?;
    ///     while let Some(later) = peer.try_recv() {
    ///         latest = later?;
    ///     }
    ///     Ok(latest)
    /// }
    /// ```
    pub fn try_recv(&mut self) -> Option<Result<Req, RecvError>> {
        if self.has_put_back()
            && let Some(packet) = self.receive_put_back()
        {
            return Some(Ok(packet));
        }
        let received = self.receive_inline().or_else(|| {
            // No `recv` waits at the same time, whose waker this could replace.
            let cx = Context::from_waker(Waker::noop());
            match self.mailbox.poll_take(&cx, &self.path.socket.counters) {
                Poll::Ready(taken) => Some(self.decode(taken)),
                Poll::Pending => None,
            }
        })?;
        if received.is_ok() {
            self.forget_undecoded();
        }
        Some(received)
    }

    /// Returns the packets of this peer as a stream.
    ///
    /// # Examples
    ///
    /// The sum of all numbers that come within a second:
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer};
    /// use std::time::Duration;
    ///
    /// async fn sum(peer: &mut Peer<u32, u32>) -> Result<u32, BoxError> {
    ///     let (mut packets, mut sum) = (peer.packets().within(Duration::from_secs(1)), 0);
    ///     while let Some(packet) = packets.next().await {
    ///         sum += packet?;
    ///     }
    ///     Ok(sum)
    /// }
    /// ```
    pub const fn packets(&mut self) -> PeerPackets<'_, Req, Res> {
        PeerPackets { peer: self, until: None, step: None, late: 0, ended: false }
    }

    /// Sends `packets` to this peer, in order.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), for the first packet that fails. Those before it have been sent.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the first of the packets were sent and the others not; no datagram was
    /// cut.
    pub async fn send_all<I>(&self, packets: I) -> Result<(), SendError>
    where
        I: IntoIterator<Item: Borrow<Res>>,
    {
        for packet in packets {
            self.send(packet).await?;
        }
        Ok(())
    }
}

/// The packets of a peer, one after the other; made by [`Peer::packets`].
///
/// A datagram that is not a packet is an item like others, and so is [`RecvError::Idle`]: the stream goes on.
/// It ends when serving ends, or when its [limit](Self::within) of time is over.
#[must_use = "a stream does nothing unless it is polled"]
pub struct PeerPackets<'a, Req, Res> {
    peer: &'a mut Peer<Req, Res>,
    until: Option<Instant>,
    /// How far the receipt of the next packet has come, from one poll to the next.
    step: Option<Step>,
    /// How many packets have come since the limit was over.
    late: usize,
    ended: bool,
}

/// How many packets may come after the limit: more than wait for a peer by default, but not as many as it
/// cares to send.
const LATE: usize = 16_384;

impl<Req, Res> PeerPackets<'_, Req, Res> {
    /// Ends the stream after `limit`, counted from now. What is there at that time still comes: with a
    /// limit of zero, that is all. A peer that never stops gets at most 16,384 packets more.
    pub fn within(mut self, limit: Duration) -> Self {
        self.until = Instant::now().checked_add(limit);
        self.step = None;
        self
    }

    /// Returns the next packet, or `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost.
    pub async fn next(&mut self) -> Option<Result<Req, RecvError>> {
        // A call that was dropped has left its time behind.
        self.step = None;
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Req, RecvError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let begin = || self.until.map_or(Step::Within(Duration::MAX), Step::Until);
        let step = self.step.unwrap_or_else(begin);
        let mut receiving = Receiving { peer: self.peer, step };
        let polled = Pin::new(&mut receiving).poll(cx);
        self.step = polled.is_pending().then_some(receiving.step);
        let packet = ready!(polled);
        if matches!(packet, Err(RecvError::Closed | RecvError::TimedOut)) {
            self.ended = true;
            return Poll::Ready(None);
        }
        self.late += usize::from(self.until.is_some_and(|until| until <= Instant::now()));
        self.ended = self.late == LATE;
        Poll::Ready(Some(packet))
    }
}

impl<Req, Res> Stream for PeerPackets<'_, Req, Res> {
    type Item = Result<Req, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

impl<Req, Res> fmt::Debug for PeerPackets<'_, Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerPackets").field("peer", self.peer).finish_non_exhaustive()
    }
}
