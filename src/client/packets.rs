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

use super::{endpoint::Client, shared::RecvDetails};
use crate::{ClientRecvError, DatagramProtocol};

impl<P: DatagramProtocol> Client<P> {
    /// Returns the packets that the client receives as a stream.
    ///
    /// # Examples
    ///
    /// All answers that arrive within one second:
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

/// A stream of the packets that a client receives; made by [`Client::packets`].
///
/// An error of [`Client::recv`] is an item of the stream, and the stream goes on after it. The stream ends
/// when the client is closed, or when the [time limit](Self::within) is over.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Text};
/// use std::{net::UdpSocket, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::connect(server.local_addr()?, Text).await?;
/// server.send_to(b"one", client.local_addr().socket_addr().expect("an IP address"))?;
/// server.send_to(b"two", client.local_addr().socket_addr().expect("an IP address"))?;
///
/// // With a limit of zero: only packets that have arrived already.
/// let mut packets = client.packets().within(Duration::ZERO);
/// assert_eq!(packets.next().await.transpose()?.as_deref(), Some("one"));
/// assert_eq!(packets.next().await.transpose()?.as_deref(), Some("two"));
/// assert!(packets.next().await.is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct Packets<'a, P: DatagramProtocol> {
    client: &'a Client<P>,
    until: Option<Instant>,
    /// The future that waits for the next packet, kept from one poll to the next.
    wait: Option<Over<'a>>,
    /// How many packets were returned after the time limit.
    late: usize,
    ended: bool,
}

type Over<'a> = Pin<Box<dyn Future<Output = Result<(), ClientRecvError>> + Send + 'a>>;

impl<'a, P: DatagramProtocol> Packets<'a, P> {
    pub(super) const fn new(client: &'a Client<P>) -> Self {
        Self { client, until: None, wait: None, late: 0, ended: false }
    }

    /// Ends the stream after `limit`, counted from this call. Packets that have arrived by then are still
    /// returned. So with a limit of zero, the stream returns only packets that have arrived already. After
    /// the limit it returns at most 16,384 packets, so that the stream ends even if a peer never stops
    /// sending.
    pub fn within(mut self, limit: Duration) -> Self {
        self.until = Instant::now().checked_add(limit);
        self.wait = None;
        self
    }

    /// Returns the next packet, or `None` at the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost.
    pub async fn next(&mut self) -> Option<Result<P::Incoming, ClientRecvError>> {
        /// Drops the waiting future when the call is dropped, because that future holds the socket open.
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
            match client.shared.receive(self.until, &mut RecvDetails::default()) {
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

/// How many packets are returned after the time limit, at most. The default buffer of a socket holds fewer.
/// Without this number, a peer that sends all the time could prevent the end of the stream.
pub(crate) const LATE: usize = 16_384;
