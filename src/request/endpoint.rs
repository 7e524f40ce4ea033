//! The request client.

use std::{borrow::Borrow, fmt, sync::Arc, time::Duration};

use super::{
    exchange::{Exchange, send},
    shared::Shared,
    window::Place,
};
use crate::{
    Addr, Correlated, DatagramProtocol, EncodeError, RequestError, RequestStats, stats::add,
};

/// A client that sends requests and waits for their responses. It repeats a request until it is answered.
///
/// Any number of requests may be in flight. Each response finds its request by an id: the protocol implements
/// [`Correlated`]. [`Tagged`](crate::Tagged) adds ids to any protocol. It is cheap to clone, and clones share one
/// socket for each server.
///
/// For a protocol without ids, in which each side answers one packet with one of its own, such as TFTP, take
/// [`Client::exchange`](crate::Client::exchange).
///
/// # When a request is repeated
///
/// - The first timer is 1 s until the round-trip time is known. Then it is the smoothed round-trip time and four
///   times its variation ([RFC 6298]), at least 200 ms. It doubles with each attempt, ± 10 %, up to 16 s. After
///   30 s the request has [timed out](RequestError::TimedOut).
/// - All attempts to one server have the same id and the same bytes. So a server with a reply cache runs its handler
///   once.
/// - If the network reports that the server is unreachable, only that attempt has failed. The next one follows when
///   its timer expires. If all attempts fail so, the error is [`Unreachable`](RequestError::Unreachable). So a
///   request survives the restart of its server.
/// - With several servers, each attempt goes to the next one. A request begins with the server that answered last. Two of
///   them may run the same request.
/// - At most 64 requests are in flight. The limit halves when a timer expires, and rises by one for each answered
///   window: that is the congestion control that [RFC 8085] asks for.
///
/// All numbers can be set on the [builder](Self::builder).
///
/// # Tasks
///
/// The client has a task for each socket, which receives responses. It ends when the last clone is dropped.
///
/// # Examples
///
/// ```
/// use datagrammar::{RequestClient, Server, Tagged, TaggedServer, Text, tagged};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let shout = tagged(async |text: String| text.to_uppercase());
/// let server = Server::bind("127.0.0.1:0", TaggedServer::new(Text), shout).await?;
/// let client = RequestClient::connect(server.local_addr(), Tagged::new(Text)).await?;
/// server.spawn();
///
/// assert_eq!(client.request("hello".to_owned()).await?, "HELLO");
/// # Ok(())
/// # }
/// ```
///
/// [RFC 6298]: https://www.rfc-editor.org/rfc/rfc6298
/// [RFC 8085]: https://www.rfc-editor.org/rfc/rfc8085#section-3.1
#[doc(alias("retry", "retransmission", "timeout", "call", "rpc"))]
pub struct RequestClient<P> {
    pub(super) shared: Arc<Shared<P>>,
    /// The place in the window that this clone has reserved as a service.
    #[cfg(feature = "tower")]
    pub(super) reserved: super::reserved::Reserved,
}

/// A packet that a server may receive twice without harm, such as a question. Its requests may be
/// [hedged](RequestClient::request_hedged).
///
/// # Examples
///
/// ```
/// use datagrammar::Idempotent;
///
/// struct Lookup(String);
///
/// impl Idempotent for Lookup {}
/// ```
pub trait Idempotent {}

impl<P: Correlated + Send + Sync + 'static> RequestClient<P> {
    pub(super) fn new(shared: Shared<P>) -> Self {
        Self::of(Arc::new(shared))
    }

    /// Sends a request, or a reference to one, and returns its response. It repeats the request until it is
    /// answered, for up to the [total time](crate::RequestClientBuilder::total_timeout).
    ///
    /// # Errors
    ///
    /// After all of these errors except `Closed` the client stays usable.
    ///
    /// - [`RequestError::TimedOut`] if no response came in time.
    /// - [`RequestError::Unreachable`] if each attempt has failed, because no server could be reached.
    /// - [`RequestError::Reply`] if the response does not decode.
    /// - [`RequestError::Refused`] if the server refuses the request.
    /// - [`RequestError::Encode`] and [`RequestError::TooLarge`] if the request cannot be sent as one datagram.
    /// - [`RequestError::RetryBudgetExhausted`] if a repetition was due and the retry budget was empty.
    /// - [`RequestError::Closed`] if the client was closed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the request is not repeated any more. The server may have received it. Its id is
    /// not used again for a while, so a late response harms no other request.
    pub async fn request(
        &self,
        request: impl Borrow<P::Outgoing>,
    ) -> Result<P::Incoming, RequestError> {
        self.request_timeout(request, self.shared.timing.total).await
    }

    /// Does the same as [`request`](Self::request), and waits for up to `timeout` in all, if that is shorter than
    /// the [total time](crate::RequestClientBuilder::total_timeout).
    ///
    /// # Errors
    ///
    /// The same as [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// The same as [`request`](Self::request).
    pub async fn request_timeout(
        &self,
        request: impl Borrow<P::Outgoing>,
        timeout: Duration,
    ) -> Result<P::Incoming, RequestError> {
        let request = self.encode(request.borrow())?;
        self.run(request, None, timeout, None).await
    }

    /// Does the same as [`request`](Self::request), and sends a second attempt after
    /// [`hedge_after`](crate::RequestClientBuilder::hedge_after), without a sign of loss. It goes to the next server, if
    /// there are several. The first response counts. So a slow server costs little time.
    ///
    /// Two servers may receive the request, so it must be [`Idempotent`].
    ///
    /// # Errors
    ///
    /// The same as [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// The same as [`request`](Self::request).
    pub async fn request_hedged(
        &self,
        request: impl Borrow<P::Outgoing>,
    ) -> Result<P::Incoming, RequestError>
    where
        P::Outgoing: Idempotent,
    {
        let request = self.encode(request.borrow())?;
        self.run(request, None, self.shared.timing.total, self.shared.hedge_after).await
    }

    /// Sends a packet that needs no response, once. `Ok` does not mean that it arrives. With several servers it
    /// goes to the one that answered last. It waits while all ids are in use. Only if the server answers it with a
    /// [challenge](crate::RequestClientBuilder::address_token_envelope), and no other one was sent since, it is sent again.
    ///
    /// With [`LockStep`](crate::LockStep) the server cannot know that no response is needed. So the next request
    /// waits for as long as its first timer, and a response that comes in that time is dropped.
    ///
    /// # Errors
    ///
    /// - [`RequestError::Encode`] and [`RequestError::TooLarge`] if it cannot be sent as one datagram.
    /// - [`RequestError::Unreachable`] if the kernel refuses the datagram.
    /// - [`RequestError::Closed`] if the client was closed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the whole datagram was sent, or nothing.
    pub async fn notify(&self, packet: impl Borrow<P::Outgoing>) -> Result<(), RequestError> {
        let mut datagram = self.encode(packet.borrow())?;
        let shared = &*self.shared;
        let server = &shared.servers[shared.preferred()];
        let socket = server.socket().ok_or(RequestError::Closed)?;
        let (len, max, kind) =
            (datagram.len(), socket.longest_datagram(), shared.protocol.kind_len());
        if len > max {
            return Err(RequestError::TooLarge { len: len - kind, max: max - kind });
        }
        let sending = async {
            // Without ids, nothing else may be in flight.
            let place = if shared.protocol.max_id() == 0 {
                Some(shared.window.enter().await)
            } else {
                None
            };
            let id = socket.take_id().await;
            shared.protocol.set_id(id, &mut datagram);
            shared.protocol.set_one_way(&mut datagram);
            let timer = server.timer(&shared.timing, 0, 0.0);
            let sent = send(&socket, &socket.notification(id, &datagram, timer)).await;
            if place.is_some() {
                socket.rest(timer);
            }
            sent
        };
        let sent = tokio::select! {
            biased;
            () = shared.closed() => return Err(RequestError::Closed),
            sent = sending => sent,
        };
        let counters = &shared.counters;
        add(if sent.is_ok() { &counters.notifications } else { &counters.send_errors }, 1);
        sent.map(drop).map_err(RequestError::Unreachable)
    }

    /// Ends all requests with [`RequestError::Closed`], and closes the sockets. This closes all clones.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Returns whether the client was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Returns the counters of this client and its clones.
    #[must_use]
    pub fn stats(&self) -> RequestStats {
        self.shared.counters.read()
    }

    /// Returns how many requests may be in flight now.
    #[must_use]
    pub fn in_flight_limit(&self) -> usize {
        self.shared.window.limit()
    }

    /// Returns the smoothed round-trip time to each server, or `None` if no request was answered after one attempt
    /// yet.
    #[must_use]
    pub fn round_trip_times(&self) -> Vec<Option<Duration>> {
        self.shared.servers.iter().map(super::server::Server::smoothed).collect()
    }

    /// Returns the address of each server. It is empty after [`close`](Self::close).
    #[must_use]
    pub fn server_addrs(&self) -> Vec<Addr> {
        let sockets = self.shared.servers.iter().filter_map(super::server::Server::socket);
        sockets.map(|socket| socket.link().route.peer.clone()).collect()
    }

    /// Returns the local address of the socket to each server. After an error of the network, a client may use
    /// another port. It is empty after [`close`](Self::close).
    #[must_use]
    pub fn local_addrs(&self) -> Vec<Addr> {
        let sockets = self.shared.servers.iter().filter_map(super::server::Server::socket);
        sockets.map(|socket| socket.link().local_addr.clone()).collect()
    }

    pub(super) fn encode(&self, packet: &P::Outgoing) -> Result<Vec<u8>, RequestError> {
        let mut datagram = Vec::new();
        let encoded: Result<(), EncodeError> = self.shared.protocol.encode(packet, &mut datagram);
        encoded.map_err(RequestError::Encode)?;
        Ok(datagram)
    }

    pub(super) async fn run(
        &self,
        request: Vec<u8>,
        place: Option<Place>,
        timeout: Duration,
        hedge: Option<Duration>,
    ) -> Result<P::Incoming, RequestError> {
        let shared = &*self.shared;
        shared.deposit();
        let total = timeout.min(shared.timing.total);
        let exchange = Exchange::begin(shared, request, place, total).await?;
        let datagram = exchange.run(hedge).await?.datagram;
        if shared.protocol.is_refusal(&datagram) {
            add(&shared.counters.refused, 1);
            return Err(RequestError::Refused);
        }
        let decoded = shared.protocol.decode(&datagram);
        let counter = &shared.counters;
        add(if decoded.is_ok() { &counter.answered } else { &counter.decode_errors }, 1);
        decoded.map_err(RequestError::Reply)
    }
}

impl<P> RequestClient<P> {
    fn of(shared: Arc<Shared<P>>) -> Self {
        Self {
            shared,
            #[cfg(feature = "tower")]
            reserved: super::reserved::Reserved::default(),
        }
    }
}

impl<P> Clone for RequestClient<P> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.shared))
    }
}

impl<P> fmt::Debug for RequestClient<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestClient").finish_non_exhaustive()
    }
}
