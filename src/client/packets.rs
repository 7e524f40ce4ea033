//! The packets of a client as a stream.

use std::{
    fmt,
    future::poll_fn,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use tokio::{task::coop, time::Instant};

use super::endpoint::Client;
use crate::{ClientRecvError, DatagramProtocol};

impl<P: DatagramProtocol> Client<P> {
    /// Returns the packets that the client receives, as a stream.
    ///
    /// # Examples
    ///
    /// All answers that arrive within a second:
    ///
    /// ```
    /// # use datagrammar::{ClientRecvError, Text, Client};
    /// # use std::time::Duration;
    /// # async fn example(client: Client<Text>) -> Result<(), ClientRecvError> {
    /// let mut answers = client.packets().within(Duration::from_secs(1));
    /// while let Some(answer) = answers.next().await {
    ///     println!("{}", answer?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn packets(&self) -> Packets<'_, P> {
        Packets::new(self)
    }
}

/// The packets that a client receives, one after the other; made by [`Client::packets`].
///
/// A datagram that is not a packet, or an error of the socket, is an item like others: the stream goes
/// on. It ends when the client is closed, or when its [time limit](Self::within) is over.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Packets<'a, P: DatagramProtocol> {
    client: &'a Client<P>,
    until: Option<Instant>,
    /// How the next packet is waited for, from one poll to the next.
    wait: Option<Over<'a>>,
    /// How many packets have come since the limit was over.
    late: usize,
    ended: bool,
}

type Over<'a> = Pin<Box<dyn Future<Output = Result<(), ClientRecvError>> + Send + 'a>>;

impl<'a, P: DatagramProtocol> Packets<'a, P> {
    pub(super) const fn new(client: &'a Client<P>) -> Self {
        Self { client, until: None, wait: None, late: 0, ended: false }
    }

    /// Ends the stream after `limit`, counted from now. Packets that have arrived by then are still returned;
    /// with a limit of zero, these are all. They are at most 16,384, so that a peer that never stops sending
    /// cannot keep the stream from its end.
    pub fn within(mut self, limit: Duration) -> Self {
        self.until = Instant::now().checked_add(limit);
        self.wait = None;
        self
    }

    /// Returns the next packet, or `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost.
    pub async fn next(&mut self) -> Option<Result<P::Incoming, ClientRecvError>> {
        /// Keeps nothing of a call that was dropped: it may hold the socket.
        struct Call<'p, 'a, P: DatagramProtocol>(&'p mut Packets<'a, P>);

        impl<P: DatagramProtocol> Drop for Call<'_, '_, P> {
            fn drop(&mut self) {
                self.0.wait = None;
            }
        }

        let call = Call(self);
        poll_fn(|cx| call.0.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<P::Incoming, ClientRecvError>>> {
        let budget = ready!(coop::poll_proceed(cx));
        let packet = if self.ended { None } else { ready!(self.poll_receive(cx)) };
        budget.made_progress();
        Poll::Ready(packet)
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<P::Incoming, ClientRecvError>>> {
        let client = self.client;
        let packet = loop {
            if let Some(wait) = &mut self.wait {
                let over = ready!(wait.as_mut().poll(cx));
                self.wait = None;
                if let Err(error) = over {
                    break Err(error);
                }
            }
            match client.shared.receive(self.until) {
                ControlFlow::Break(packet) => break packet,
                ControlFlow::Continue(wait) => self.wait = Some(Box::pin(wait.over())),
            }
        };
        Poll::Ready(self.judge(packet))
    }

    fn judge(
        &mut self,
        packet: Result<P::Incoming, ClientRecvError>,
    ) -> Option<Result<P::Incoming, ClientRecvError>> {
        if matches!(packet, Err(ClientRecvError::Closed | ClientRecvError::TimedOut)) {
            self.ended = true;
            return None;
        }
        self.late += usize::from(self.until.is_some_and(|until| until <= Instant::now()));
        self.ended = self.late == LATE;
        Some(packet)
    }
}

impl<P: DatagramProtocol> Stream for Packets<'_, P> {
    type Item = Result<P::Incoming, ClientRecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
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
