//! Exchanges of a client: a packet that is repeated until the next packet of the peer arrives.

use std::{borrow::Borrow, fmt};

use tokio::{sync::MutexGuard, task::coop, time::timeout_at};

use super::{endpoint::Client, link::Link, shared::RecvDetails};
use crate::{
    ClientExchangeError, DatagramProtocol, Repeat,
    exchange::{ClientSide, Next, Pace},
};

impl<P: DatagramProtocol> Client<P> {
    /// Sends `packet`, and repeats the same datagram until the next packet of the peer arrives. Returns that packet.
    ///
    /// It is for protocols whose packets have no ids, and in which each side answers one packet with one of its own:
    /// TFTP, and others in lock-step. If packets have ids, or if you may add them with [`Tagged`](crate::Tagged), use
    /// [`RequestClient`](crate::RequestClient): it tells a late answer from the next one, and has many requests in
    /// flight. [`Peer::exchange`](crate::Peer::exchange) is the same for the handler of a server.
    ///
    /// The first timer is 1 s. Later ones follow the round-trip time to the peer, at least 200 ms. Each one is twice
    /// as long as the one before, ± 10 %, up to 16 s. After 30 s the exchange ends.
    /// [`exchange_with`](Self::exchange_with) sets other numbers.
    ///
    /// A datagram with exactly the same bytes as the previous packet is a duplicate: it is skipped, and the packet is
    /// not repeated because of it. The previous packet is the last one that this client or a clone has received. If
    /// you call [`recv`](Self::recv) before the first exchange, call
    /// [`detect_duplicates`](Self::detect_duplicates) before that.
    ///
    /// A packet that has arrived already counts as the next one, as it does for [`recv`](Self::recv). If that is no
    /// answer, [`begin_exchange`](Self::begin_exchange) waits on and sends nothing at once.
    ///
    /// If the kernel refuses a datagram, for example because no program runs at an address of this host, that datagram
    /// counts as lost. The next one follows when the timer expires. So an exchange survives the restart of the peer.
    ///
    /// # Several tasks
    ///
    /// One exchange of a client runs at a time. Others, also those of its clones, wait for their turn, and their total
    /// time goes on meanwhile. A [`recv`](Self::recv) of another task does not wait: it gets the answer if it takes
    /// it first, and then the packet is repeated. So do not receive in another task while an exchange runs.
    ///
    /// # Errors
    ///
    /// - [`ClientExchangeError::TimedOut`]: no packet came in time.
    /// - [`ClientExchangeError::Unreachable`]: the same, and the kernel has refused each datagram.
    /// - [`ClientExchangeError::Decode`], [`ClientExchangeError::ReceivedTooLarge`]: a datagram came that is not a
    ///   packet of the protocol, or is too long.
    /// - [`ClientExchangeError::Io`] if the socket cannot receive.
    /// - [`ClientExchangeError::Closed`] after [`close`](Self::close), at once.
    /// - [`ClientExchangeError::Encode`] if the protocol cannot encode the packet.
    /// - [`ClientExchangeError::TooLarge`] if the datagram is longer than the transport can carry.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing more is sent, and no packet is lost: the next `recv` returns it.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Client, Repeat, Text};
    /// use std::{net::UdpSocket, thread, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let peer = UdpSocket::bind("127.0.0.1:0")?;
    /// let client = Client::connect(peer.local_addr()?, Text).await?;
    /// let answering = thread::spawn(move || {
    ///     let mut datagram = [0; 16];
    ///     for answer in [None, Some("one"), Some("two")] {
    ///         let (len, from) = peer.recv_from(&mut datagram)?;
    ///         // The first datagram is lost, so it comes again.
    ///         let Some(answer) = answer else { continue };
    ///         assert_eq!(&datagram[..len], if answer == "one" { b"1?" } else { b"2?" });
    ///         // The network duplicates the answers.
    ///         peer.send_to(answer.as_bytes(), from)?;
    ///         peer.send_to(answer.as_bytes(), from)?;
    ///     }
    ///     Ok::<_, std::io::Error>(())
    /// });
    ///
    /// let repeat = Repeat::default().initial_timeout(Duration::from_millis(50));
    /// assert_eq!(client.exchange_with("1?".to_owned(), &repeat).await?, "one");
    /// // The other "one" is not the answer to this.
    /// assert_eq!(client.exchange("2?".to_owned()).await?, "two");
    /// # answering.join().expect("no panic")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retransmit")]
    #[doc(alias = "retry")]
    pub fn exchange(
        &self,
        packet: impl Borrow<P::Outgoing>,
    ) -> impl Future<Output = Result<P::Incoming, ClientExchangeError>> {
        let exchange = self.begin_exchange(packet, &Repeat::default());
        async move { exchange?.next().await }
    }

    /// Does the same as [`exchange`](Self::exchange) with other timers, or with another answer to duplicates.
    ///
    /// # Errors
    ///
    /// The errors of [`exchange`](Self::exchange).
    ///
    /// # Cancel safety
    ///
    /// The same as [`exchange`](Self::exchange).
    pub fn exchange_with<'c, B>(
        &'c self,
        packet: B,
        repeat: &Repeat,
    ) -> impl Future<Output = Result<P::Incoming, ClientExchangeError>> + use<'c, P, B>
    where
        B: Borrow<P::Outgoing>,
    {
        let exchange = self.begin_exchange(packet, repeat);
        async move { exchange?.next().await }
    }

    /// Encodes `packet` for an exchange whose caller may wait for more than one packet: for example to skip packets
    /// that are no answer, or datagrams that do not decode. Nothing is sent before [`ClientExchange::next`] is
    /// awaited.
    ///
    /// # Errors
    ///
    /// [`ClientExchangeError::Encode`], [`ClientExchangeError::TooLarge`] and [`ClientExchangeError::Closed`]; see
    /// [`exchange`](Self::exchange).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Client, ClientExchangeError, Json, Repeat};
    ///
    /// /// Sends a block until it is acknowledged. Acknowledgments of earlier blocks may come late.
    /// async fn acknowledged(
    ///     client: &Client<Json<u16, String>>,
    ///     number: u16,
    /// ) -> Result<(), ClientExchangeError> {
    ///     let mut exchange = client.begin_exchange(format!("block {number}"), &Repeat::default())?;
    ///     while exchange.next().await? != number {}
    ///     Ok(())
    /// }
    /// ```
    pub fn begin_exchange(
        &self,
        packet: impl Borrow<P::Outgoing>,
        repeat: &Repeat,
    ) -> Result<ClientExchange<'_, P>, ClientExchangeError> {
        let link = self.shared.link().ok_or(ClientExchangeError::Closed)?;
        let datagram = self.shared.encode(&link, packet.borrow());
        let datagram = datagram.map_err(ClientExchangeError::not_sent)?;
        self.detect_duplicates();
        let side = ClientSide::new(datagram.to_vec(), repeat);
        Ok(ClientExchange { client: self, side, turn: None })
    }

    /// Makes this client and its clones remember a digest of each packet that they receive from now on, so that an
    /// [`exchange`](Self::exchange) recognizes duplicates of the previous packet.
    ///
    /// The first exchange begins with that anyway. Call it earlier if the client receives with another method before.
    /// Clients without exchanges pay nothing for digests.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Client, Text};
    ///
    /// /// The server greets first, and the network may deliver the greeting twice. The second one is no answer.
    /// async fn log_in(client: &Client<Text>) -> Result<bool, BoxError> {
    ///     client.detect_duplicates();
    ///     client.send("hello".to_owned()).await?;
    ///     let greeting = client.recv().await?;
    ///     let answer = client.exchange(format!("{greeting}: it is me")).await?;
    ///     Ok(answer == "welcome")
    /// }
    /// ```
    pub fn detect_duplicates(&self) {
        self.shared.detect_duplicates();
    }
}

/// An exchange of a client with its peer; made by [`Client::begin_exchange`]. It has nothing to do with
/// [`RequestClient`](crate::RequestClient), which is for packets with ids.
///
/// From the first [`next`](Self::next) until this is dropped, other exchanges of the client wait. So drop it before the
/// same task begins another one.
///
/// # Examples
///
/// A client that goes on when a datagram does not decode, instead of beginning again:
///
/// ```
/// use datagrammar::{Client, ClientExchangeError, Json, Repeat};
///
/// async fn ask(client: &Client<Json<u32, String>>) -> Result<u32, ClientExchangeError> {
///     let mut exchange = client.begin_exchange("a number?".to_owned(), &Repeat::default())?;
///     loop {
///         match exchange.next().await {
///             Err(ClientExchangeError::Decode(_)) => {}
///             answer => return answer,
///         }
///     }
/// }
/// ```
#[must_use = "nothing is sent before `next` is awaited"]
pub struct ClientExchange<'c, P> {
    client: &'c Client<P>,
    side: ClientSide,
    /// Held from the first `next` on.
    turn: Option<MutexGuard<'c, Pace>>,
}

impl<P: DatagramProtocol> ClientExchange<'_, P> {
    /// Waits for the next packet of the peer. The first call sends the packet of the exchange. Each call repeats it
    /// when its timer expires.
    ///
    /// When it is called again, it does not send the packet again before its timer expires. The timers and the total time go on.
    ///
    /// # Errors
    ///
    /// The errors of [`Client::exchange`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing more is sent, and no packet is lost. The next call goes on.
    pub async fn next(&mut self) -> Result<P::Incoming, ClientExchangeError> {
        self.side.exchange.resume();
        self.take_turn().await?;
        loop {
            if self.attempt()? {
                self.send().await?;
            }
            match self.receive().await? {
                Next::Return(packet) => return Ok(packet),
                Next::Send => self.send().await?,
                Next::Receive => {}
            }
        }
    }

    /// Waits until no other exchange runs.
    async fn take_turn(&mut self) -> Result<(), ClientExchangeError> {
        if self.turn.is_none() {
            let Self { client: Client { shared }, side: ClientSide { exchange, .. }, turn } = self;
            let taken = tokio::select! {
                biased;
                () = shared.closed() => return Err(ClientExchangeError::Closed),
                taken = timeout_at(exchange.end(), shared.exchanging.lock()) => taken,
            };
            let timed_out = |_| ClientExchangeError::timed_out(exchange.timed_out());
            *turn = Some(taken.map_err(timed_out)?);
        }
        Ok(())
    }

    /// Returns whether the datagram is to be sent now.
    fn attempt(&mut self) -> Result<bool, ClientExchangeError> {
        let Self { client: Client { shared }, side, turn } = self;
        let pace = turn.as_ref().expect("its turn has come");
        let link = shared.link().ok_or(ClientExchangeError::Closed)?;
        side.attempt(pace, || shared.has_arrived(&link))
    }

    async fn send(&mut self) -> Result<(), ClientExchangeError> {
        coop::consume_budget().await;
        let Self { client: Client { shared }, side, .. } = self;
        let link = shared.link().ok_or(ClientExchangeError::Closed)?;
        let end = side.exchange.end();
        let sending = shared.send(link, &mut side.exchange.datagram, Link::try_send);
        let outcome = timeout_at(end, sending).await;
        side.sent(outcome.ok())
    }

    /// Receives until the timer expires.
    async fn receive(&mut self) -> Result<Next<P::Incoming>, ClientExchangeError> {
        let Self { client, side, .. } = self;
        let mut details = RecvDetails::default();
        let received = client.receive(Some(side.exchange.due()), &mut details).await;
        side.exchange.is_challenged |= client.shared.envelopes.is_challenged();
        side.received(received, details.is_duplicate, details.waited)
    }
}

impl<P> Drop for ClientExchange<'_, P> {
    fn drop(&mut self) {
        if let Some(pace) = &mut self.turn {
            self.side.exchange.learn(pace);
        }
    }
}

impl<P> fmt::Debug for ClientExchange<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientExchange")
            .field("client", self.client)
            .field("attempts", &self.side.exchange.attempts)
            .finish_non_exhaustive()
    }
}
