//! The options of a request client, before it is connected.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use super::{
    budget::RetryBudget,
    endpoint::RequestClient,
    server::Server,
    shared::{Options, Shared},
    socket::SocketOptions,
};
use crate::{
    Chunked, Connect, ConnectError, Correlated,
    chunk::Wire,
    client::{connect::connect, link::Link},
    stats::RequestCounters,
    timing::Timing,
    token::Envelope,
    transport::{
        LONGEST, Resolver,
        config::{On, Source, Udp},
    },
};

/// The options of a [`RequestClient`] that is not connected yet; made by [`RequestClient::builder`]. Every option
/// has a default.
///
/// # Examples
///
/// ```
/// use datagrammar::{RequestClient, Tagged, Text};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let client = RequestClient::builder(Tagged::new(Text))
///     .total_timeout(Duration::from_secs(5))
///     .max_in_flight(8)
///     .connect("127.0.0.1:9000")
///     .await?;
/// assert_eq!(client.stats().requests, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a client is made by `connect`"]
pub struct RequestClientBuilder<P> {
    protocol: P,
    options: Options,
    max_datagram_size: usize,
    others: Vec<Source>,
    chunked: Option<Chunked>,
    has_envelope: bool,
}

impl<P: Correlated + Send + Sync + 'static> RequestClient<P> {
    /// Connects to a server, or to several: each address of a list is one. `protocol` encodes requests and decodes
    /// responses.
    ///
    /// # Errors
    ///
    /// The same as [`RequestClientBuilder::connect`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no socket stays open.
    pub async fn connect(transport: impl Connect, protocol: P) -> Result<Self, ConnectError> {
        Self::builder(protocol).connect(transport).await
    }

    /// Returns a builder, to set options before the client is connected.
    pub fn builder(protocol: P) -> RequestClientBuilder<P> {
        RequestClientBuilder::new(protocol)
    }
}

impl<P: Correlated + Send + Sync + 'static> RequestClientBuilder<P> {
    fn new(protocol: P) -> Self {
        let options = Options {
            timing: Timing::default(),
            max_attempts: u32::MAX,
            max_in_flight: 64,
            hedge_after: None,
            budget: None,
            seed: RandomState::new().hash_one(0),
        };
        Self {
            protocol,
            options,
            max_datagram_size: LONGEST,
            others: Vec::new(),
            chunked: None,
            has_envelope: false,
        }
    }

    /// Sets the first timer, as long as the round-trip time is not known. The default is 1 s (RFC 8085). Later it
    /// follows the round-trip time.
    pub fn initial_timeout(mut self, timeout: Duration) -> Self {
        self.options.timing.initial = timeout;
        self
    }

    /// Sets the shortest timer. The default is 200 ms. A shorter one repeats requests sooner on a path with little
    /// delay, and repeats some whose response was only late.
    pub fn min_timeout(mut self, timeout: Duration) -> Self {
        self.options.timing.min = timeout;
        self
    }

    /// Sets the longest timer. Timers double up to it. The default is 16 s.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.options.timing.max = timeout;
        self
    }

    /// Sets how long a request lasts in all, with its wait for a place among the requests in flight. The default is
    /// 30 s. A server with a [reply cache](crate::ReplyCache) should keep its replies as long; see
    /// [`ReplyCache::ttl`](crate::ReplyCache::ttl).
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.options.timing.total = timeout;
        self
    }

    /// Sets how often a request is sent at most. By default, only the total time limits it. 0 counts as 1. Chunks that are
    /// sent again, or asked for, do not count while others arrive.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = attempts.max(1);
        self
    }

    /// Sets how many requests are in flight at most. The default is 64. The limit halves when a timer expires, and
    /// rises again with each answered window. Further requests wait. 0 counts as 1.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.options.max_in_flight = requests;
        self
    }

    /// Limits repetitions, so that many clients do not overload a server that comes back. By default they are not
    /// limited, because a path that loses much needs more of them.
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.options.budget = Some(budget);
        self
    }

    /// Sets when [`request_hedged`](RequestClient::request_hedged) sends a second attempt, if there is no response.
    /// Without it, a hedged request is like any other one. About the 95th percentile of the round-trip time costs
    /// 5 % more datagrams.
    pub fn hedge_after(mut self, time: Duration) -> Self {
        self.options.hedge_after = Some(time);
        self
    }

    /// Sets the length of the longest datagram that the client receives, in bytes. Longer ones are counted
    /// [`too_large`](crate::RequestStats::too_large), and their requests get no response. The default is 65,535.
    pub fn max_datagram_size(mut self, bytes: usize) -> Self {
        self.max_datagram_size = bytes;
        self
    }

    /// Allows requests and responses that are [longer than one datagram](Chunked). By default there are none. The server
    /// must have [the same option](crate::ServerBuilder::chunked), since it changes the format of all datagrams.
    ///
    /// # Examples
    ///
    /// On the page of [`Chunked`].
    pub fn chunked(mut self, chunked: Chunked) -> Self {
        self.chunked = Some(chunked);
        self
    }

    /// Sets whether datagrams are in the [envelope](crate::ServerBuilder::address_token_envelope) of address tokens. The
    /// default is false. The server must have the same option, since it changes the format of all datagrams.
    ///
    /// The client keeps the token of each server, and sends it with each datagram. When a server asks for a token with a
    /// challenge, the client sends all requests that wait for that server again at once, with the new token. So the first
    /// request takes one more round trip, and none of its attempts. It does not count as a retry, no timer changes, and it
    /// gives no sample of the round-trip time. The last [one-way packet](RequestClient::notify) is sent again too, if it was
    /// sent within the time of the first timer.
    ///
    /// Anybody who can send datagrams with the address of the server, and knows the port of the client, can forge a
    /// challenge. It costs a round trip. A request is sent at most twice more for each attempt, however many challenges
    /// arrive. They count as [`RequestStats::challenges`](crate::RequestStats::challenges).
    ///
    /// The envelope takes 17 bytes of each datagram, and 1 byte of each response, which count for
    /// [`max_datagram_size`](Self::max_datagram_size); with the envelope, less than 17 counts as 17 there. With [`chunked`](Self::chunked), each chunk has
    /// its own, and the client sends the chunks again that are on their way.
    ///
    /// # Examples
    ///
    /// On the page of the [option of the server](crate::ServerBuilder::address_token_envelope).
    #[doc(alias("cookie", "challenge"))]
    pub fn address_token_envelope(mut self, has_envelope: bool) -> Self {
        self.has_envelope = has_envelope;
        self
    }

    /// Adds a server, to which requests go when others do not answer.
    ///
    /// Each server has ids of its own, so two servers may both run a request, and neither a reply cache nor a
    /// [reply store](crate::ReplyStore) prevents that. Use several servers only for requests that may run twice.
    pub fn fallback(mut self, transport: impl Connect) -> Self {
        self.others.extend(split(transport.destination()));
        self
    }

    /// Sets the seed of the jitter of timers, for tests. By default it is random.
    #[cfg(feature = "testing")]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// Connects to a server, or to several: each address of a list is one. If a host name has several addresses,
    /// the first one to which the kernel can connect a socket is used.
    ///
    /// Connecting sends nothing, so it succeeds even if no program runs at the address.
    ///
    /// # Errors
    ///
    /// The same as [`ClientBuilder::connect`](crate::ClientBuilder::connect). All servers must be usable.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no socket stays open.
    pub async fn connect(self, transport: impl Connect) -> Result<RequestClient<P>, ConnectError> {
        let Self { protocol, options, max_datagram_size, others, chunked, has_envelope } = self;
        let header = if has_envelope { Envelope::REQUEST_HEADER } else { 0 };
        let chunked = chunked.map(|chunked: Chunked| chunked.in_envelope(header));
        let mut sources = split(transport.destination());
        sources.extend(others);
        let mut links = Vec::new();
        for source in sources {
            links.push(connect(source, Resolver::Runtime).await?.finish(Link::new)?);
        }
        let Timing { total, max, .. } = options.timing;
        // The last attempt may be answered late.
        let reserve = total.saturating_add(max);
        let protocol = Arc::new(Wire::new(protocol, chunked.is_some()));
        let socket = SocketOptions { max_datagram_size, reserve, chunked, has_envelope };
        let counters = Arc::new(RequestCounters::default());
        let server = |(index, link)| {
            let (protocol, counters) = (Arc::clone(&protocol), Arc::clone(&counters));
            Server::new(link, index, socket.clone(), protocol, counters)
        };
        let servers = links.into_iter().enumerate().map(server).collect();
        let shared = Shared::new(Arc::clone(&protocol), servers, options, counters);
        Ok(RequestClient::new(shared))
    }
}

/// The sources of single servers.
fn split(source: Source) -> Vec<Source> {
    match source {
        Source::Udp(Udp { on: On::Addrs(targets), options, workers, local_addr })
            if targets.len() > 1 =>
        {
            let one = |target| {
                let (on, options) = (On::Addrs(vec![target]), options.clone());
                Source::Udp(Udp { on, options, workers, local_addr: local_addr.clone() })
            };
            targets.into_iter().map(one).collect()
        }
        source => vec![source],
    }
}
