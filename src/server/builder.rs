//! The options of a server, before it is bound.

use std::{any::Any, fmt, sync::Arc};

use super::{
    bind::{self, Bound},
    binding::Binding,
    endpoint::{Life, Server},
};
use crate::{
    Addr, Bind, BindError, DatagramProtocol, Handler, IntoHandler, Limits,
    engine::{
        Application, Engine, Guarded, Sockets,
        admission::{Admission, Check},
    },
    events::Events,
    handle::{
        status::Status,
        watch::{SocketWatch, Watched},
    },
    peer::{Encoder, Protocol},
    socket::{SocketState, outbox::Outbox},
    stats::Counters,
    tasks::Tasks,
    transport::config::Source,
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
pub struct ServerBuilder {
    assemble: Assemble,
    encoder: Arc<dyn Any + Send + Sync>,
    limits: Limits,
    source_filter: Option<Check>,
    dedicated_threads: bool,
}

/// Makes an engine of sockets, the protocol and the handler. Only this closure knows the types of the
/// protocol and the handler; the builder has no type parameters.
type Assemble = Box<dyn FnOnce(Vec<Guarded>) -> Box<dyn Engine> + Send>;

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
        Binding(Box::pin(builder.bind_all(transport.sources())))
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
    pub fn builder<P, H, Form>(protocol: P, handler: H) -> ServerBuilder
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

impl ServerBuilder {
    pub(super) fn new<P, H>(protocol: P, handler: H) -> Self
    where
        P: DatagramProtocol + Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
        H: Handler<P::Incoming, P::Outgoing>,
    {
        let protocol = Arc::new(Protocol::new(protocol));
        let encoder = Arc::new(Encoder::new(&protocol));
        let assemble = |guarded| -> Box<dyn Engine> {
            Box::new(Sockets::new(Application { protocol, handler }, guarded))
        };
        Self {
            assemble: Box::new(assemble),
            encoder,
            limits: Limits::default(),
            source_filter: None,
            dedicated_threads: false,
        }
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
        self.limits = limits;
        self
    }

    /// Sets a filter on source addresses. If `filter` returns false for the source of a datagram, the server
    /// drops that datagram, before it decodes or stores any part of it. By default there is no filter.
    ///
    /// The server calls the filter for each datagram, on the thread that receives, so it should be fast.
    /// Datagrams that it refuses count as [`DropReason::Refused`](crate::DropReason::Refused). If it panics,
    /// the datagram counts as refused too, and the panic is logged.
    ///
    /// Datagrams from a source that cannot be answered are dropped before the filter is called: port 0,
    /// unspecified and multicast addresses, 255.255.255.255, and the server's own addresses. A server on a wildcard
    /// address counts each address of the host, with the server's port, as its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Addr, Client, DropReason, Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::builder(Text, async |text: String| text)
    ///     .source_filter(|peer: &Addr| !peer.ip().is_some_and(|ip| ip.is_loopback()))
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// let (addr, handle) = (server.local_addr(), server.handle());
    /// server.spawn();
    ///
    /// let client = Client::connect(addr, Text).await?;
    /// client.send("hello".to_owned()).await?;
    /// # while handle.stats().received == 0 { tokio::task::yield_now().await; }
    /// handle.shutdown().await;
    /// assert_eq!(handle.stats().dropped(DropReason::Refused), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "firewall")]
    #[doc(alias = "admit")]
    #[doc(alias = "allow")]
    #[doc(alias = "rate_limit")]
    pub fn source_filter(mut self, filter: impl Fn(&Addr) -> bool + Send + Sync + 'static) -> Self {
        self.source_filter = Some(Arc::new(filter));
        self
    }

    /// Sets whether each worker has its own thread. A [worker](crate::Udp::workers) is a socket and the loop
    /// that reads it. The default is false: workers are tasks of the runtime that calls
    /// [`serve`](Server::serve).
    ///
    /// If the worker is a task of the runtime, a handler that blocks its thread also stops the worker from
    /// receiving. A worker on its own thread (named `datagrammar-0`, `datagrammar-1` and so on) still
    /// receives while handlers block all threads of the runtime. Then datagrams wait in the server, within
    /// its [limits](Self::limits), and not in the socket.
    ///
    /// Conversations still run on the runtime that calls `serve`. Each conversation is then a task, which
    /// costs more time; this matters for short ones. The threads end when `serve` ends. For one blocking call
    /// in a handler, `tokio::task::spawn_blocking` is enough. A function that always blocks becomes a handler
    /// through [`blocking::handler`](crate::blocking::handler) (feature `blocking`).
    ///
    /// This option has no effect on a network in memory, because such a network uses the clock of the
    /// runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Client, Server, Text};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// // A computation that does not await.
    /// let digits = async |text: String| -> String {
    ///     text.chars().filter(char::is_ascii_digit).collect()
    /// };
    /// let server = Server::builder(Text, digits).dedicated_threads(true).bind("127.0.0.1:0").await?;
    /// let (addr, handle) = (server.local_addr(), server.handle());
    /// let serving = server.spawn();
    ///
    /// let client = Client::connect(addr, Text).await?;
    /// client.send("4 plus 2".to_owned()).await?;
    /// assert_eq!(client.recv().await?, "42");
    ///
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "spawn_blocking")]
    #[doc(alias = "thread pool")]
    pub fn dedicated_threads(mut self, dedicated_threads: bool) -> Self {
        self.dedicated_threads = dedicated_threads;
        self
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
    /// - [`BindError::ZeroLimit`] names a limit that is zero.
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
        self.bind_all(transport.sources()).await
    }

    async fn bind_all(self, sources: Vec<Source>) -> Result<Server, BindError> {
        self.limits.check()?;
        let bound = bind::bind(sources, self.dedicated_threads).await?;
        let server = self.build(bound);
        server.handle().diagnostics().tell_short_buffers();
        Ok(server)
    }

    /// Builds a server on these sockets. There is at least one.
    pub(super) fn build(self, bound: Vec<Bound>) -> Server {
        let limits = Arc::new(self.limits);
        let counters = Arc::new(Counters::default());
        let events = Arc::new(Events::new(limits.max_events_per_second, Arc::clone(&counters)));
        let tasks = Arc::new(Tasks::new(limits.max_tasks));
        let first_workers = bound.iter().filter(|bound| bound.is_first_worker);
        let local_addrs: Arc<[Addr]> =
            first_workers.map(|bound| bound.transport.local_addr().clone()).collect();
        #[cfg(unix)]
        let mut own_paths = Vec::new();
        let socket = |bound: Bound| {
            let Bound { transport, thread, requested, .. } = bound;
            #[cfg(unix)]
            own_paths.extend(bound.own_path);
            let (unnamed, filter) = (transport.unnamed_peers(), self.source_filter.clone());
            let admission = Admission::new(Arc::clone(&local_addrs), unnamed, filter);
            let outbox =
                Outbox::new(transport, Arc::clone(&counters), Arc::clone(&events), &limits);
            let (limits, counters) = (Arc::clone(&limits), Arc::clone(&counters));
            let (events, tasks) = (Arc::clone(&events), Arc::clone(&tasks));
            let socket = Arc::new(SocketState::new(outbox, limits, counters, events, tasks));
            let watched = Watched::new(&socket, requested);
            (Guarded { socket, admission: Arc::new(admission), thread }, watched)
        };
        let (guarded, watched): (Vec<_>, _) = bound.into_iter().map(socket).unzip();
        let status = Arc::new(Status::new(local_addrs.to_vec()));
        Server {
            #[cfg(unix)]
            _own_paths: own_paths,
            sockets: guarded.iter().map(|guarded| Arc::clone(&guarded.socket)).collect(),
            engine: (self.assemble)(guarded),
            encoder: self.encoder,
            counters,
            events,
            tasks,
            status: Arc::clone(&status),
            watch: Arc::new(SocketWatch::new(watched)),
            local_addr: local_addrs[0].clone(),
            _life: Life(status),
        }
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("limits", &self.limits)
            .field("dedicated_threads", &self.dedicated_threads)
            .finish_non_exhaustive()
    }
}
