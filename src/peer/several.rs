//! Several packets from a peer: those that have arrived, a stream of them, and many to send.

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
    recv::{Next, Receiving},
    step::Step,
};
use crate::{RecvError, SendError};

impl<Req, Res> Peer<Req, Res> {
    /// Returns a packet that has arrived already, or `None` if there is none.
    ///
    /// It does not wait, so it does not yield to other tasks. A handler that calls it in a loop without an
    /// await blocks its thread. With a [reply store](crate::ReplyStore), it returns `None` until the store has answered.
    ///
    /// # Errors
    ///
    /// The errors of [`recv`](Self::recv), except [`RecvError::Idle`].
    ///
    /// # Examples
    ///
    /// A handler that needs only the latest packet from its peer:
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
    #[must_use = "dropping the packet loses it"]
    pub fn try_recv(&mut self) -> Option<Result<Req, RecvError>> {
        if self.has_put_back()
            && let Some(packet) = self.receive_put_back()
        {
            return Some(Ok(packet));
        }
        let received = self.receive_inline().or_else(|| {
            // No `recv` waits at the same time, so this cannot replace the waker of another call.
            let mut cx = Context::from_waker(Waker::noop());
            loop {
                match self.poll_take(&mut cx) {
                    Next::Datagram(taken) => return Some(self.decode(taken)),
                    Next::Dropped => {}
                    Next::Unknown | Next::Nothing => return None,
                }
            }
        })?;
        if received.is_ok() {
            self.forget_undecoded();
        }
        Some(received)
    }

    /// Returns the packets from this peer as a stream.
    ///
    /// # Examples
    ///
    /// The sum of all numbers that arrive within one second:
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
    /// The errors of [`send`](Self::send), for the first packet that fails. The packets before it were sent.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the first packets were sent, each of them whole, and the others were not.
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

/// A stream of the packets from one peer; made by [`Peer::packets`].
///
/// The errors [`RecvError::Decode`] and [`RecvError::Idle`] are items of the stream, and the stream goes on
/// after them. The stream ends when a shutdown begins, or when the [time limit](Self::within) is over.
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Peer};
/// use std::time::Duration;
///
/// /// Collects the parts that arrive within 5 seconds, at most 3 of them.
/// async fn parts(peer: &mut Peer<String, String>) -> Result<Vec<String>, BoxError> {
///     let mut parts = Vec::new();
///     let mut packets = peer.packets().within(Duration::from_secs(5));
///     while parts.len() < 3
///         && let Some(part) = packets.next().await
///     {
///         parts.push(part?);
///     }
///     Ok(parts)
/// }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct PeerPackets<'a, Req, Res> {
    peer: &'a mut Peer<Req, Res>,
    until: Option<Instant>,
    /// The progress of the receive of the next packet, kept from one poll to the next.
    step: Option<Step>,
    /// How many packets were returned after the time limit.
    late: usize,
    ended: bool,
}

/// How many packets are returned after the time limit, at most. Fewer wait for a peer by default. Without
/// this number, a peer that sends all the time could prevent the end of the stream.
const LATE: usize = 16_384;

impl<Req, Res> PeerPackets<'_, Req, Res> {
    /// Ends the stream after `limit`, counted from this call. Packets that have arrived by then are still
    /// returned. So with a limit of zero, the stream returns only packets that have arrived already. After
    /// the limit it returns at most 16,384 packets, so that the stream ends even if a peer never stops
    /// sending.
    pub fn within(mut self, limit: Duration) -> Self {
        self.until = Instant::now().checked_add(limit);
        self.step = None;
        self
    }

    /// Returns the next packet, or `None` at the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost.
    pub async fn next(&mut self) -> Option<Result<Req, RecvError>> {
        // The step of a call that was dropped has a deadline that does not apply any more.
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
