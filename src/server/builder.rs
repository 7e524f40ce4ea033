//! The options of a server, before it is bound.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    bind::{self, Bound},
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

/// Sets a [`Server`] up. Everything has a default.
///
/// The options of sockets are those of the transport that the server is bound to, such as
/// [`Udp`](crate::Udp).
#[must_use = "a server is made by `bind`"]
pub struct ServerBuilder {
    assemble: Assemble,
    encoder: Arc<dyn Any + Send + Sync>,
    limits: Limits,
    source_filter: Option<Check>,
    dedicated_threads: bool,
}

/// The future of [`Server::bind`]: the bound server. It has a type of its own, so that a mistake in a handler is
/// one error of the compiler, not one more at `.await`.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Binding(Pin<Box<dyn Future<Output = Result<Server, BindError>> + Send>>);

impl Future for Binding {
    type Output = Result<Server, BindError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").finish_non_exhaustive()
    }
}

/// Joins the protocol and the handler, whose types nothing else of a builder knows, to sockets.
type Assemble = Box<dyn FnOnce(Vec<Guarded>) -> Box<dyn Engine> + Send>;

impl Server {
    /// Binds a server with the default options: it speaks `protocol`, and `handler` serves its peers.
    ///
    /// `transport` is an address, several, or any other [transport](Bind). A handler is a [`Handler`], or a
    /// function of one of the forms on [its page](Handler#functions).
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::bind`].
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

    /// Begins a server with options: it speaks `protocol`, and `handler` serves its peers.
    ///
    /// A handler is a [`Handler`], or a function of one of the forms on [its page](Handler#functions).
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

    /// Sets the limits of the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets a filter on source addresses: the server drops a datagram for which `filter` returns false, before
    /// it decodes or keeps anything of it.
    ///
    /// The filter is called for each datagram, on the thread that receives, so it should be quick. Sources
    /// that cannot be answered (port 0, multicast and broadcast addresses, the server itself) are refused before
    /// it is called. A server on a wildcard address has each address of the host, with its port.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Addr, Server, Text};
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let server = Server::builder(Text, async |text: String| text)
    ///     .source_filter(|peer: &Addr| peer.ip().is_some_and(|ip| ip.is_loopback()))
    ///     .bind("[::]:9000")
    ///     .await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "admit")]
    #[doc(alias = "allow")]
    #[doc(alias = "rate_limit")]
    pub fn source_filter(mut self, filter: impl Fn(&Addr) -> bool + Send + Sync + 'static) -> Self {
        self.source_filter = Some(Arc::new(filter));
        self
    }

    /// Sets whether each worker has a thread of its own. The default is false: workers are tasks of the
    /// runtime that calls [`serve`](Server::serve).
    ///
    /// In a task of the runtime, a handler that blocks its thread keeps the worker from receiving. A worker on a
    /// thread of its own, named `datagrammar-0` and so on, still receives while handlers block all threads of the
    /// runtime: datagrams wait within the [limits](Self::limits) instead of in the socket. Conversations still
    /// run on the runtime that calls `serve`, each as a task, which costs more if they are short. The threads end
    /// with `serve`.
    ///
    /// It has no effect on a network in memory, which uses the clock of that runtime.
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
    pub fn dedicated_threads(mut self, dedicated_threads: bool) -> Self {
        self.dedicated_threads = dedicated_threads;
        self
    }

    /// Binds the server to an address, to several, or to other [transports](Bind); port 0 lets the kernel
    /// choose one.
    ///
    /// Each distinct address has a socket of its own, or one for each of its [workers](crate::Udp::workers).
    /// `[::]` serves IPv4 too, unless an IPv4 address with the same port is bound beside it. From now on the
    /// kernel keeps datagrams that arrive. They are served once [`Server::serve`] is called.
    ///
    /// # Errors
    ///
    /// [`BindError::Addrs`] names each address that cannot be bound; then none is bound.
    /// [`BindError::ZeroLimit`] and [`BindError::Option`] name a limit that is zero or an option that cannot be
    /// set. The kind of the latter is [`Unsupported`](std::io::ErrorKind::Unsupported) for an option that this
    /// system does not have, and for several workers where it does not spread peers over them.
    /// [`BindError::Io`] if a socket of yours is not a bound UDP socket; the socket is closed then.
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
        // Nothing of the transport's type is kept: the future is `Send` whatever it is.
        self.bind_all(transport.sources()).await
    }

    async fn bind_all(self, sources: Vec<Source>) -> Result<Server, BindError> {
        self.limits.check()?;
        let bound = bind::bind(sources, self.dedicated_threads).await?;
        let server = self.build(bound);
        server.handle().diagnostics().tell_short_buffers();
        Ok(server)
    }

    /// Builds a server on these sockets, of which there is at least one.
    pub(super) fn build(self, bound: Vec<Bound>) -> Server {
        let limits = Arc::new(self.limits);
        let counters = Arc::new(Counters::default());
        let events = Arc::new(Events::new(limits.max_events_per_second, Arc::clone(&counters)));
        let tasks = Arc::new(Tasks::new(limits.max_tasks));
        let first_workers = bound.iter().filter(|bound| bound.is_first_worker);
        let local_addrs: Arc<[Addr]> =
            first_workers.map(|bound| bound.transport.local_addr().clone()).collect();
        let socket = |bound: Bound| {
            let Bound { transport, thread, requested, .. } = bound;
            let admission = Admission::new(Arc::clone(&local_addrs), self.source_filter.clone());
            let outbox = Outbox::new(
                transport,
                Arc::clone(&counters),
                Arc::clone(&events),
                limits.send_timeout,
            );
            let (limits, counters) = (Arc::clone(&limits), Arc::clone(&counters));
            let (events, tasks) = (Arc::clone(&events), Arc::clone(&tasks));
            let socket = Arc::new(SocketState::new(outbox, limits, counters, events, tasks));
            let watched = Watched::new(&socket, requested);
            (Guarded { socket, admission: Arc::new(admission), thread }, watched)
        };
        let (guarded, watched): (Vec<_>, _) = bound.into_iter().map(socket).unzip();
        let status = Arc::new(Status::new(local_addrs.to_vec()));
        Server {
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
