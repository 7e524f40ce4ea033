use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use tokio::time::Instant;

use super::UdpClient;
use crate::{DatagramProtocol, RecvError};

/// The packets that come to a client, one after the other; made by [`UdpClient::packets`].
///
/// A datagram that is not a packet, or an error of the socket, is an item like others: the stream goes
/// on. It ends when the client is closed, or when its [limit](Self::within) of time is over.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Packets<'a, P: DatagramProtocol> {
    client: &'a UdpClient<P>,
    until: Option<Instant>,
    next: Option<Next<'a, P::Incoming>>,
    /// How many packets have come since the limit was over.
    late: usize,
    ended: bool,
}

type Next<'a, I> = Pin<Box<dyn Future<Output = Result<I, RecvError>> + Send + 'a>>;

impl<'a, P: DatagramProtocol> Packets<'a, P> {
    pub(super) const fn new(client: &'a UdpClient<P>) -> Self {
        Self { client, until: None, next: None, late: 0, ended: false }
    }

    /// Ends the stream after `limit`, counted from now. What is there at that time still comes: with a
    /// limit of zero, that is all. So that a peer that never stops cannot keep the stream from its end,
    /// these are at most 16,384 packets.
    pub fn within(mut self, limit: Duration) -> Self {
        self.until = Instant::now().checked_add(limit);
        self.next = None;
        self
    }

    /// Returns the next packet, or `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost.
    pub async fn next(&mut self) -> Option<Result<P::Incoming, RecvError>> {
        if self.ended {
            return None;
        }
        let packet = self.client.receive(self.until).await;
        self.judge(packet)
    }

    fn judge(
        &mut self,
        packet: Result<P::Incoming, RecvError>,
    ) -> Option<Result<P::Incoming, RecvError>> {
        if matches!(packet, Err(RecvError::Closed | RecvError::TimedOut)) {
            self.ended = true;
            return None;
        }
        self.late += usize::from(self.until.is_some_and(|until| until <= Instant::now()));
        self.ended = self.late == LATE;
        Some(packet)
    }
}

impl<P> Stream for Packets<'_, P>
where
    P: DatagramProtocol + Send + Sync,
    P::Incoming: Send,
{
    type Item = Result<P::Incoming, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let (client, until) = (this.client, this.until);
        let next = this.next.get_or_insert_with(|| Box::pin(client.receive(until)));
        let packet = ready!(next.as_mut().poll(cx));
        this.next = None;
        Poll::Ready(this.judge(packet))
    }
}

impl<P: DatagramProtocol> fmt::Debug for Packets<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packets").field("client", self.client).finish_non_exhaustive()
    }
}

/// How many packets may come after the limit: more than were there at that time, as the default buffer
/// of a socket holds fewer, but not as many as a peer cares to send.
const LATE: usize = 16_384;
