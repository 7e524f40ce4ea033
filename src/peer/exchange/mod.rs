//! Exchanges of a handler with its peer: a packet that is repeated until the next packet of the peer arrives.

mod state;

use std::{borrow::Borrow, fmt, future::poll_fn, pin::Pin, sync::Arc};

pub(super) use state::ExchangeState;
use tokio::time::timeout_at;

use super::{Peer, protocol::Encode, recv::Receiving, send::SendPath, step::Step};
use crate::{
    EncodeError, PeerExchangeError, RecvError, Repeat,
    exchange::{Exchange, Verdict},
};

impl<Req, Res> Peer<Req, Res> {
    /// Sends `packet`, and repeats the same datagram until the next packet of this peer arrives. Returns that packet.
    ///
    /// It is for protocols in which the server asks and the peer answers, over a network that loses datagrams. If
    /// packets have ids, compare them in a [`begin_exchange`](Self::begin_exchange), as notifications of CoAP need it.
    /// [`Client::exchange`](crate::Client::exchange) is the same for a client.
    ///
    /// The first timer is 1 s. Later ones follow the round-trip time in this conversation, at least 200 ms. Each one is
    /// twice as long as the one before, ± 10 %, up to 16 s. After 30 s the exchange ends.
    /// [`exchange_with`](Self::exchange_with) sets other numbers. The [idle timeout](crate::Limits::idle_timeout) does
    /// not apply.
    ///
    /// A datagram with exactly the same bytes as the previous packet is a duplicate: it is skipped, and the packet is
    /// not repeated because of it. So that the first exchange of a conversation knows the previous packet, call
    /// [`detect_duplicates`](Self::detect_duplicates) before `recv`.
    ///
    /// A packet that has arrived already counts as the next one, as it does for [`recv`](Self::recv). If that is no
    /// answer, [`begin_exchange`](Self::begin_exchange) waits on and sends nothing at once.
    ///
    /// # Errors
    ///
    /// - [`PeerExchangeError::TimedOut`]: no packet came in time.
    /// - [`PeerExchangeError::Decode`]: a datagram came that is not a packet of the protocol.
    /// - [`PeerExchangeError::Closed`]: a shutdown has begun.
    /// - [`PeerExchangeError::Encode`] if the protocol cannot encode the packet.
    /// - [`PeerExchangeError::TooLarge`] if the datagram is longer than the transport can carry.
    /// - [`PeerExchangeError::OverBudget`] and [`PeerExchangeError::OverRate`] if the server has a
    ///   [guard](crate::Guard), and the peer is not validated. Each repetition counts.
    /// - [`PeerExchangeError::Io`], over a Unix socket only, if the peer has closed its socket or has no name.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing more is sent, and no packet is lost: the next `recv` returns it.
    ///
    /// # Examples
    ///
    /// A handler that sends a text in pieces. Each piece is repeated until it is acknowledged:
    ///
    /// ```
    /// use datagrammar::{BoxError, Client, Handler, Peer, Server, Text};
    ///
    /// struct Pieces;
    ///
    /// impl Handler<String, String> for Pieces {
    ///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
    ///         peer.detect_duplicates();
    ///         let text = peer.recv().await?;
    ///         for (n, piece) in text.split(' ').enumerate() {
    ///             let answer = peer.exchange(format!("{n} {piece}")).await?;
    ///             if answer != format!("got {n}") {
    ///                 return Err("not acknowledged".into());
    ///             }
    ///         }
    ///         Ok(peer.send("end".to_owned()).await?)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let server = Server::bind("127.0.0.1:0", Text, Pieces).await?;
    /// let client = Client::connect(server.local_addr(), Text).await?;
    /// server.spawn();
    ///
    /// client.send("hello world".to_owned()).await?;
    /// assert_eq!(client.recv().await?, "0 hello");
    /// // The answer is lost, so the piece comes again.
    /// assert_eq!(client.recv().await?, "0 hello");
    /// client.send("got 0".to_owned()).await?;
    /// assert_eq!(client.recv().await?, "1 world");
    /// client.send("got 1".to_owned()).await?;
    /// assert_eq!(client.recv().await?, "end");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retransmit")]
    #[doc(alias = "retry")]
    pub fn exchange(
        &mut self,
        packet: impl Borrow<Res>,
    ) -> impl Future<Output = Result<Req, PeerExchangeError>> {
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
    pub fn exchange_with<'p, B>(
        &'p mut self,
        packet: B,
        repeat: &Repeat,
    ) -> impl Future<Output = Result<Req, PeerExchangeError>> + use<'p, Req, Res, B>
    where
        B: Borrow<Res>,
    {
        let exchange = self.begin_exchange(packet, repeat);
        async move { exchange?.next().await }
    }

    /// Encodes `packet` for an exchange whose handler may wait for more than one packet: for example to skip packets
    /// that are no answer, or datagrams that do not decode. Nothing is sent before
    /// [`PeerExchange::next`] is awaited.
    ///
    /// # Errors
    ///
    /// [`PeerExchangeError::Encode`] if the protocol cannot encode the packet. With [`Chunked`](crate::Chunked) also
    /// [`PeerExchangeError::TooLarge`], since the packet of an exchange must fit into one datagram.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer, Repeat};
    ///
    /// /// Sends a block until it is acknowledged. Acknowledgments of earlier blocks may come late.
    /// async fn acknowledged(peer: &mut Peer<u16, String>, number: u16) -> Result<(), BoxError> {
    ///     let mut exchange = peer.begin_exchange(format!("block {number}"), &Repeat::default())?;
    ///     while exchange.next().await? != number {}
    ///     Ok(())
    /// }
    /// ```
    pub fn begin_exchange(
        &mut self,
        packet: impl Borrow<Res>,
        repeat: &Repeat,
    ) -> Result<PeerExchange<'_, Req, Res>, PeerExchangeError> {
        let mut datagram = Vec::new();
        let encoded = self.path.protocol.encode(packet.borrow(), &mut datagram);
        encoded.map_err(PeerExchangeError::Encode)?;
        let SendPath { socket, route, budget, .. } = &self.path;
        if let Some(chunks) = socket.chunks.as_deref().filter(|chunks| chunks.splits(&datagram)) {
            // Without the kind in front.
            let header = chunks.header();
            let (len, max) = (datagram.len() - header, chunks.longest_datagram() - header);
            return Err(PeerExchangeError::TooLarge { len, max });
        }
        let (socket, route, budget) = (Arc::clone(socket), route.clone(), budget.clone());
        let path = SendPath { socket, protocol: Arc::new(Verbatim), route, budget };
        self.detect_duplicates();
        Ok(PeerExchange { path, exchange: Exchange::new(datagram, repeat), peer: self })
    }

    /// Makes this conversation remember a digest of each packet that it receives from now on, so that an
    /// [`exchange`](Self::exchange) recognizes duplicates of the previous packet.
    ///
    /// Call it at the beginning of a handler that uses exchanges. Without it, the first exchange begins with that, and
    /// takes a duplicate of the previous packet for the next one. Conversations without exchanges pay nothing for
    /// digests.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer};
    ///
    /// /// The network may deliver the question twice. Both have the same bytes, so the second one is no answer.
    /// async fn confirmed(peer: &mut Peer<String, String>) -> Result<bool, BoxError> {
    ///     peer.detect_duplicates();
    ///     let question = peer.recv().await?;
    ///     let answer = peer.exchange(format!("{question}: are you sure?")).await?;
    ///     Ok(answer == "yes")
    /// }
    /// ```
    pub fn detect_duplicates(&mut self) {
        self.exchange.get_or_insert_with(Box::default);
    }
}

/// An exchange of a handler with its peer; made by [`Peer::begin_exchange`].
///
/// # Examples
///
/// A handler that goes on when a datagram does not decode, instead of beginning again:
///
/// ```
/// use datagrammar::{BoxError, Peer, PeerExchangeError, Repeat};
///
/// async fn ask(peer: &mut Peer<u32, String>) -> Result<u32, BoxError> {
///     let mut exchange = peer.begin_exchange("a number?".to_owned(), &Repeat::default())?;
///     loop {
///         match exchange.next().await {
///             Err(PeerExchangeError::Decode(_)) => {}
///             answer => return Ok(answer?),
///         }
///     }
/// }
/// ```
#[must_use = "nothing is sent before `next` is awaited"]
pub struct PeerExchange<'p, Req, Res> {
    peer: &'p mut Peer<Req, Res>,
    path: SendPath<Verbatim>,
    exchange: Exchange,
}

impl<Req, Res> PeerExchange<'_, Req, Res> {
    /// Waits for the next packet of the peer. The first call sends the packet of the exchange. Each call repeats it
    /// when its timer expires.
    ///
    /// When it is called again, it does not send the packet again before its timer expires. The timers and the total time go on.
    ///
    /// # Errors
    ///
    /// The errors of [`Peer::exchange`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing more is sent, and no packet is lost. The next call goes on.
    pub async fn next(&mut self) -> Result<Req, PeerExchangeError> {
        self.exchange.resume();
        loop {
            self.attempt().await?;
            let (received, waited) = self.receive().await;
            match received {
                Ok(packet) => {
                    let state = self.peer.exchange.get_or_insert_default();
                    match self.exchange.judge(state.duplicate, waited) {
                        Verdict::Return => return Ok(packet),
                        Verdict::Skip => {}
                        Verdict::Answer => self.send().await?,
                    }
                }
                Err(RecvError::Decode(error)) => return Err(PeerExchangeError::Decode(error)),
                Err(RecvError::Closed) => return Err(PeerExchangeError::Closed),
                // The timer has expired.
                Err(_) => {}
            }
        }
    }

    /// Returns the peer, for example to answer what it asks before it answers this exchange.
    #[must_use]
    pub const fn peer(&self) -> &Peer<Req, Res> {
        self.peer
    }

    /// Sends the packet if that is due.
    async fn attempt(&mut self) -> Result<(), PeerExchangeError> {
        let state = self.peer.exchange.get_or_insert_default();
        match self.exchange.attempt(&state.pace) {
            Ok(false) => Ok(()),
            Ok(true) if self.peer.mailbox.is_closed() => Err(PeerExchangeError::Closed),
            Ok(true) => {
                state.timed_out = None;
                self.send().await
            }
            Err(timed_out) => {
                state.timed_out = Some(timed_out);
                Err(PeerExchangeError::timed_out(timed_out))
            }
        }
    }

    /// Sends the datagram. If there is no room for it until the exchange ends, it counts as sent and lost.
    async fn send(&self) -> Result<(), PeerExchangeError> {
        let Self { exchange, path, peer } = self;
        tokio::select! {
            biased;
            sent = timeout_at(exchange.end(), path.send(&*exchange.datagram)) => match sent {
                Ok(sent) => sent.map_err(PeerExchangeError::not_sent),
                Err(_) => Ok(()),
            },
            () = peer.closed() => Err(PeerExchangeError::Closed),
        }
    }

    /// Receives until the timer expires. Also returns whether it had to wait.
    async fn receive(&mut self) -> (Result<Req, RecvError>, bool) {
        if let Some(state) = &mut self.peer.exchange {
            // A packet that was put back is none.
            state.duplicate = false;
        }
        let step = Step::Undisturbed(self.exchange.due());
        let mut receiving = Receiving { peer: self.peer, step };
        let mut waited = false;
        let received = poll_fn(|cx| {
            let polled = Pin::new(&mut receiving).poll(cx);
            // A packet that the reply store is asked about is there already.
            waited |= polled.is_pending() && !receiving.peer.is_asking();
            polled
        })
        .await;
        (received, waited)
    }
}

impl<Req, Res> Drop for PeerExchange<'_, Req, Res> {
    fn drop(&mut self) {
        if let Some(state) = &mut self.peer.exchange {
            self.exchange.learn(&mut state.pace);
        }
    }
}

impl<Req, Res> fmt::Debug for PeerExchange<'_, Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerExchange")
            .field("peer", self.peer)
            .field("attempts", &self.exchange.attempts)
            .finish_non_exhaustive()
    }
}

/// Sends bytes that were encoded before.
#[derive(Debug)]
struct Verbatim;

impl Encode<[u8]> for Verbatim {
    fn encode(&self, encoded: &[u8], datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.extend_from_slice(encoded);
        Ok(())
    }
}
