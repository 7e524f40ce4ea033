//! Exchanges of a blocking client: a packet that is repeated until the next packet of the peer arrives.

use std::{borrow::Borrow, fmt, time::Instant};

use super::{endpoint::Client, link::Link, shared::RecvDetails, wait::Waited};
use crate::{
    ClientExchangeError, DatagramProtocol, Repeat,
    blocking::block_on::is_inside_runtime,
    exchange::{ClientSide, Next, Pace},
};

impl<P: DatagramProtocol> Client<P> {
    /// Sends `packet`, and repeats the same datagram until the next packet of the peer arrives. Returns that packet.
    ///
    /// It is for protocols whose packets have no ids; [`datagrammar::Client::exchange`](crate::Client::exchange) tells
    /// more. If packets have ids, or if you may add them, use a
    /// [`RequestClient`](crate::blocking::RequestClient).
    ///
    /// # Several threads
    ///
    /// One exchange of a client runs at a time. Others, also those of its clones, wait for their turn, and their total
    /// time goes on meanwhile. Do not receive in another thread while an exchange runs: the answer goes to the first
    /// that takes it.
    ///
    /// # Errors
    ///
    /// The errors of [`datagrammar::Client::exchange`](crate::Client::exchange), and
    /// [`ClientExchangeError::InsideRuntime`] inside an async runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Repeat, Text, blocking::Client};
    /// use std::{net::UdpSocket, thread, time::Duration};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let peer = UdpSocket::bind("127.0.0.1:0")?;
    /// let client = Client::connect(peer.local_addr()?, Text)?;
    /// let answering = thread::spawn(move || {
    ///     let mut datagram = [0; 16];
    ///     peer.recv_from(&mut datagram)?; // This datagram is lost, so it comes again.
    ///     let (len, from) = peer.recv_from(&mut datagram)?;
    ///     assert_eq!(&datagram[..len], b"hello");
    ///     peer.send_to(b"hello to you", from)
    /// });
    ///
    /// let repeat = Repeat::default().initial_timeout(Duration::from_millis(50));
    /// assert_eq!(client.exchange_with("hello".to_owned(), &repeat)?, "hello to you");
    /// # answering.join().expect("no panic")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retransmit")]
    #[doc(alias = "retry")]
    pub fn exchange(
        &self,
        packet: impl Borrow<P::Outgoing>,
    ) -> Result<P::Incoming, ClientExchangeError> {
        self.begin_exchange(packet, &Repeat::default())?.next()
    }

    /// Does the same as [`exchange`](Self::exchange) with other timers, or with another answer to duplicates.
    ///
    /// # Errors
    ///
    /// The errors of [`exchange`](Self::exchange).
    pub fn exchange_with(
        &self,
        packet: impl Borrow<P::Outgoing>,
        repeat: &Repeat,
    ) -> Result<P::Incoming, ClientExchangeError> {
        self.begin_exchange(packet, repeat)?.next()
    }

    /// Encodes `packet` for an exchange whose caller may wait for more than one packet: for example to skip packets
    /// that are no answer, or datagrams that do not decode. Nothing is sent before [`ClientExchange::next`] is
    /// called.
    ///
    /// # Errors
    ///
    /// [`ClientExchangeError::Encode`], [`ClientExchangeError::TooLarge`] and [`ClientExchangeError::Closed`]; see
    /// [`exchange`](Self::exchange).
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

    /// Makes this client and its clones remember a digest of each packet that they receive from now on, as
    /// [`datagrammar::Client::detect_duplicates`](crate::Client::detect_duplicates) does.
    pub fn detect_duplicates(&self) {
        self.shared.detect_duplicates();
    }
}

/// An exchange of a blocking client with its peer; made by [`Client::begin_exchange`]. It has nothing to do with
/// [`RequestClient`](crate::blocking::RequestClient), which is for packets with ids.
///
/// From the first [`next`](Self::next) until this is dropped, other exchanges of the client wait. So drop it before the
/// same thread begins another one.
#[must_use = "nothing is sent before `next` is called"]
pub struct ClientExchange<'c, P> {
    client: &'c Client<P>,
    side: ClientSide,
    /// Taken at the first `next`.
    turn: Option<Pace>,
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
    #[expect(
        clippy::should_implement_trait,
        reason = "it is no iterator: the caller stops at the packet that it wants"
    )]
    pub fn next(&mut self) -> Result<P::Incoming, ClientExchangeError> {
        if is_inside_runtime() {
            return Err(ClientExchangeError::InsideRuntime);
        }
        self.side.exchange.resume();
        self.take_turn()?;
        loop {
            if self.attempt()? {
                self.send()?;
            }
            match self.receive()? {
                Next::Return(packet) => return Ok(packet),
                Next::Send => self.send()?,
                Next::Receive => {}
            }
        }
    }

    /// Waits until no other exchange runs.
    fn take_turn(&mut self) -> Result<(), ClientExchangeError> {
        let Self { client: Client { shared }, side: ClientSide { exchange, .. }, turn } = self;
        if turn.is_none() {
            *turn = shared.exchanging.take(exchange.end().into_std());
        }
        match turn {
            Some(_) => Ok(()),
            None if shared.is_closed() => Err(ClientExchangeError::Closed),
            None => Err(ClientExchangeError::timed_out(exchange.timed_out())),
        }
    }

    /// Returns whether the datagram is to be sent now.
    fn attempt(&mut self) -> Result<bool, ClientExchangeError> {
        let Self { client: Client { shared }, side, turn } = self;
        let pace = turn.as_ref().expect("its turn has come");
        let link = shared.link().ok_or(ClientExchangeError::Closed)?;
        side.attempt(pace, || Ok(link.wait_readable(Some(Instant::now()))? == Waited::Ready))
    }

    fn send(&mut self) -> Result<(), ClientExchangeError> {
        let Self { client: Client { shared }, side, .. } = self;
        let link = shared.link().ok_or(ClientExchangeError::Closed)?;
        let deadline = Some(side.exchange.end().into_std());
        let datagram = &mut side.exchange.datagram;
        let outcome = shared.send_datagram(&link, datagram, Link::try_send, deadline);
        side.sent(outcome)
    }

    /// Receives until the timer expires.
    fn receive(&mut self) -> Result<Next<P::Incoming>, ClientExchangeError> {
        let Self { client: Client { shared }, side, .. } = self;
        let mut details = RecvDetails::default();
        let due = side.exchange.due().into_std();
        let received = shared.receive(Some(due), &mut details);
        side.exchange.is_challenged |= shared.envelopes.is_challenged();
        side.received(received, details.is_duplicate, details.waited)
    }
}

impl<P> Drop for ClientExchange<'_, P> {
    fn drop(&mut self) {
        if let Some(mut pace) = self.turn.take() {
            self.side.exchange.learn(&mut pace);
            self.client.shared.exchanging.put_back(pace);
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
