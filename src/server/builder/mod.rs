//! The options of a server, before it is bound.

mod protection;
mod proxies;
mod receiving;

use std::{fmt, sync::Arc};

use super::{
    binding::Binding,
    endpoint::Server,
    options::{Options, Parts, TokenPlace, Unbound},
};
use crate::{
    Bind, BindError, Chunked, Correlated, DatagramProtocol, Handler, IntoHandler, Limits,
    ReplyCache, ReplyStore,
    chunk::Wire,
    engine::{Application, Engine, Sockets},
    peer::{Encoder, Protocol},
    reply_cache::ReadId,
    token::Enveloped,
};

/// The options of a [`Server`] that is not bound yet; made by [`Server::builder`]. Every option has a
/// default.
///
/// Options of the sockets, such as buffer sizes and workers, are set on the transport that is given to
/// [`bind`](Self::bind): see [`Udp`](crate::Udp).
///
/// # Examples
///
/// ```
/// use datagrammar::{Limits, Server, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::builder(Text, async |text: String| text)
///     .limits(Limits::default().max_conversations(100))
///     .bind(Udp::new("127.0.0.1:0").recv_buffer_size(65_536))
///     .await?;
/// assert_ne!(server.local_addr().port(), Some(0));
/// # Ok(())
/// # }
/// ```
#[must_use = "a server is made by `bind`"]
pub struct ServerBuilder<P> {
    assemble: Assemble<P>,
    uses: Uses<P>,
    options: Options,
}

/// Makes what depends on the protocol and the handler. Only this closure knows the type of the handler. If there are other
/// uses, the protocol is shared, and there may be chunks; without one, no second pointer leads to it.
type Assemble<P> = Box<dyn FnOnce(Uses<P>, &Options) -> Parts + Send>;

/// What the protocol is used for, besides decoding and encoding.
struct Uses<P> {
    reader: Option<Reader<P>>,
    place: Option<Place<P>>,
}

/// Makes a function that reads ids.
type Reader<P> = fn(Arc<Wire<P>>) -> ReadId;

/// Finds the place of address tokens.
type Place<P> = fn(Arc<Wire<P>>) -> TokenPlace;

impl Server {
    /// Binds a server with the default options. It encodes and decodes packets with `protocol`, and `handler`
    /// serves its peers.
    ///
    /// `transport` is an address, several addresses, or another [transport](Bind). `handler` is a type that
    /// implements [`Handler`], or a function in one of the [forms](Handler#functions) on the page of
    /// `Handler`. The server handles no datagram before [`serve`](Self::serve) or [`spawn`](Self::spawn) is
    /// called.
    ///
    /// # Errors
    ///
    /// The same as [`ServerBuilder::bind`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing stays bound.
    pub fn bind<P, H, Form>(transport: impl Bind, protocol: P, handler: H) -> Binding
    where
        P: DatagramProtocol + Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
        H: IntoHandler<P::Incoming, P::Outgoing, Form>,
        H::Handler: Handler<P::Incoming, P::Outgoing>,
    {
        let builder = Self::builder(protocol, handler);
        Binding(Box::pin(builder.erase().bind(transport.sources())))
    }

    /// Returns a builder, to set options before the server is bound. The server encodes and decodes packets
    /// with `protocol`, and `handler` serves its peers.
    ///
    /// `handler` is a type that implements [`Handler`], or a function in one of the
    /// [forms](Handler#functions) on the page of `Handler`.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let builder = Server::builder(Text, async |name: String| format!("Hello, {name}."));
    /// let server = builder.dedicated_threads(true).bind("127.0.0.1:0").await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<P, H, Form>(protocol: P, handler: H) -> ServerBuilder<P>
    where
        P: DatagramProtocol + Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
        H: IntoHandler<P::Incoming, P::Outgoing, Form>,
        H::Handler: Handler<P::Incoming, P::Outgoing>,
    {
        ServerBuilder::new(protocol, handler.into_handler())
    }
}

impl<P> ServerBuilder<P> {
    fn new<H>(protocol: P, handler: H) -> Self
    where
        P: DatagramProtocol + Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
        H: Handler<P::Incoming, P::Outgoing>,
    {
        let assemble = |uses: Uses<P>, options: &Options| {
            let (protocol, read_id, place) = match uses {
                Uses { reader: None, place: None } => (Protocol::new(protocol), None, None),
                Uses { reader, place } => {
                    let shared = Arc::new(Wire::new(protocol, options.chunked.is_some()));
                    let read_id = reader.map(|reader| reader(Arc::clone(&shared)));
                    let place = place.map(|place| place(Arc::clone(&shared)));
                    let protocol = if options.has_envelope {
                        Protocol::new(Enveloped(shared))
                    } else {
                        Protocol::new(shared)
                    };
                    (protocol, read_id, place)
                }
            };
            let shape = options.kernel_filter.then(|| protocol.shape());
            let protocol = Arc::new(protocol);
            let encoder = Arc::new(Encoder::new(&protocol));
            let engine = |guarded| -> Box<dyn Engine> {
                Box::new(Sockets::new(Application { protocol, handler }, guarded))
            };
            Parts { engine: Box::new(engine), encoder, read_id, place, shape }
        };
        let uses = Uses { reader: None, place: None };
        Self { assemble: Box::new(assemble), uses, options: Options::default() }
    }

    /// Sets the [limits](Limits) of the server: how much memory and how many conversations its peers can
    /// use. The default is `Limits::default()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Limits, Server, Text};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let limits = Limits::default().max_queue_len(16).idle_timeout(Duration::from_secs(10));
    /// let server = Server::builder(Text, async |text: String| text)
    ///     .limits(limits)
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Sets a [reply cache](ReplyCache): a handler receives each request once, and a repetition gets the same reply
    /// again. By default there is none.
    ///
    /// The protocol must have ids: [`TaggedServer`](crate::TaggedServer) adds them to any protocol. If
    /// [`Correlated::id`] panics, the datagram counts as one without an id, and the panic is logged.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{ReplyCache, Server, TaggedServer, Text, tagged};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = Server::builder(TaggedServer::new(Text), tagged(async |text: String| text))
    ///     .reply_cache(ReplyCache::default().ttl(Duration::from_secs(60)))
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "deduplication")]
    pub fn reply_cache(mut self, cache: ReplyCache) -> Self
    where
        P: Correlated + Send + Sync + 'static,
    {
        self.uses.reader = Some(|protocol| Box::new(move |datagram| protocol.id(datagram)));
        self.options.reply_cache = cache;
        self
    }

    /// Allows requests and responses that are [longer than one datagram](Chunked). By default there are none.
    ///
    /// Its clients must be request clients with [the same option](crate::RequestClientBuilder::chunked). The server then
    /// also has a [reply cache](Self::reply_cache), the default one unless you set another. A response that is longer
    /// than one datagram must be the first reply to its request; other long packets fail with
    /// [`SendError::TooLarge`](crate::SendError::TooLarge).
    ///
    /// The page of [`Chunked`] has an example.
    #[doc(alias("fragmentation", "large"))]
    pub fn chunked(mut self, chunked: Chunked) -> Self
    where
        P: Correlated + Send + Sync + 'static,
    {
        self.uses.reader = Some(|protocol| Box::new(move |datagram| protocol.id(datagram)));
        self.options.chunked = Some(chunked);
        self
    }

    /// Sets a [reply store](ReplyStore), in which several servers share what they know of requests and replies. It
    /// is used through a [reply cache](Self::reply_cache), which is there with its default options if none are set.
    ///
    /// The page of [`ReplyStore`] has an example.
    #[doc(alias = "replica")]
    pub fn reply_store(mut self, store: impl ReplyStore) -> Self
    where
        P: Correlated + Send + Sync + 'static,
    {
        self.options.reply_store = Some(Box::new(Arc::new(store)));
        let cache = self.options.reply_cache.clone();
        self.reply_cache(cache)
    }

    /// Binds the server to an address, to several addresses, or to other [transports](Bind). With port 0, the
    /// kernel chooses a free port.
    ///
    /// Each distinct address has its own socket, or one socket for each of its
    /// [workers](crate::Udp::workers). `[::]` serves IPv4 too, unless an IPv4 address with the same port is
    /// bound as well.
    ///
    /// Once the server is bound, the kernel keeps arriving datagrams. If the queue of a Unix socket is full, it
    /// lets their senders wait. The server handles the datagrams when [`Server::serve`] is called.
    ///
    /// # Errors
    ///
    /// After an error nothing is bound.
    ///
    /// - [`BindError::Addrs`] names each address or path that cannot be bound, and says what exists at the path.
    /// - [`BindError::Limit`] names a limit that is zero, or too small for [`Chunked`].
    /// - [`BindError::Option`] names an option that cannot be set. Its kind is
    ///   [`Unsupported`](std::io::ErrorKind::Unsupported) if this system does not have the option, or if
    ///   several workers are requested and this system cannot distribute peers among them.
    /// - [`BindError::Io`] if the socket that you passed to `bind`, `Udp::from` or `Unix::from` is not a bound
    ///   datagram socket of that kind; that socket is closed then. Also if a thread could not be started.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing stays bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = Server::builder(Text, async |text: String| text)
    ///     .bind(["127.0.0.1:0", "127.0.0.2:0"])
    ///     .await?;
    /// assert_eq!(server.handle().local_addrs().len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bind(self, transport: impl Bind) -> Result<Server, BindError> {
        // Converted before the first await, so that the future is `Send` for every type of transport.
        let sources = transport.sources();
        self.erase().bind(sources).await
    }

    /// Everything without the type of the protocol. What follows is compiled once for all protocols.
    pub(super) fn erase(self) -> Unbound {
        let parts = (self.assemble)(self.uses, &self.options);
        Unbound { parts, options: self.options }
    }
}

impl<P> fmt::Debug for ServerBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("limits", &self.options.limits)
            .field("dedicated_threads", &self.options.dedicated_threads)
            .finish_non_exhaustive()
    }
}
