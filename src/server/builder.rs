use std::{fmt, io, sync::Arc};

use super::{Life, Server, bind, serve::MOST_DISCARDED};
use crate::{
    Addr, BoundSocket, DatagramProtocol, Handler, Limits, ToAddrs,
    engine::{
        Guarded, Sockets,
        admission::{Admission, Check},
        dedicated_thread::DedicatedThread,
    },
    events::Events,
    handle::{
        status::Status,
        watch::{SocketWatch, Watched},
    },
    socket::{AnyProtocol, SocketState, outbox::Outbox},
    stats::Counters,
    tasks::Tasks,
    transport::{
        Transport,
        socket::{self, Kind, Options},
    },
};

/// Sets a [`Server`] up. Everything has a default.
#[must_use = "a server is made by `bind` or `socket`"]
pub struct ServerBuilder<P, H> {
    protocol: P,
    handler: H,
    limits: Limits,
    check: Option<Check>,
    pub(super) options: Options,
    workers: usize,
    dedicated_threads: bool,
}

impl<P, H> ServerBuilder<P, H>
where
    P: DatagramProtocol,
    H: Handler<P::Incoming, P::Outgoing>,
{
    pub(super) fn new(protocol: P, handler: H) -> Self {
        Self {
            protocol,
            handler,
            limits: Limits::default(),
            check: None,
            options: Options::default(),
            workers: 1,
            dedicated_threads: false,
        }
    }

    /// Sets how much the server takes on.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Has `check` decide from whom datagrams are looked at: nothing is decoded, and no memory kept,
    /// for a peer it refuses.
    ///
    /// It is called for each datagram, on the thread that receives, so it should be quick. Sources
    /// that nobody can be at (port 0, multicast and broadcast addresses, the server itself) are
    /// refused before it. A server on a wildcard address is at each address of the host, with its port.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Addr, Text, Server};
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let server = Server::builder(Text, async |text: String| text)
    ///     .source_filter(|peer: &Addr| peer.socket_addr().is_some_and(|addr| addr.ip().is_loopback()))
    ///     .bind("[::]:9000")
    ///     .await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn source_filter(mut self, check: impl Fn(&Addr) -> bool + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Sets how many workers each address has, from 1. The default is 1.
    ///
    /// A worker is one socket and the loop that drives it. Several share the port, and the kernel sends
    /// a peer always to the same one, so that as many cores can receive at once: Linux only. A single
    /// worker has the address for itself, several do not: another server of the same user that has as
    /// many workers can be bound to it too. It hears nobody as long as the first one is bound.
    ///
    /// What is sent to a multicast or broadcast address is served by the one worker of its peer, as all
    /// else; but such another server hears it too, and both answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # if !cfg!(target_os = "linux") { return Ok(()) }
    /// let server = Server::builder(Text, async |text: String| text)
    ///     .workers(2)
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// assert_eq!(server.handle().local_addrs().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets whether each worker has a thread of its own. The default is false: workers are tasks of the
    /// runtime that calls [`serve`](Server::serve).
    ///
    /// There, a handler that blocks its thread keeps the worker from receiving. A worker on a thread of
    /// its own, named `datagrammar-0` and so on, goes on while handlers block all threads of the runtime:
    /// what arrives waits within the [limits](Self::limits) instead of in the socket. Conversations still
    /// run on the runtime that calls `serve`, each as a task, which costs more where they are short. The
    /// threads end with `serve`.
    ///
    /// A network in memory lives by the clock of that runtime; over it, nothing changes.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, Client, Server};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// // What takes as long as it takes, without an await.
    /// let digits = async |text: String| text.chars().filter(char::is_ascii_digit).collect();
    /// let server = Server::builder(Text, digits).dedicated_threads(true).bind("127.0.0.1:0").await?;
    /// let (address, handle) = (server.local_addr(), server.handle());
    /// let serving = tokio::spawn(async move { server.serve().await });
    ///
    /// let client = Client::connect(address, Text).await?;
    /// client.send(&"4 plus 2".to_owned()).await?;
    /// assert_eq!(client.recv().await?, "42");
    ///
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn dedicated_threads(mut self, dedicated_threads: bool) -> Self {
        self.dedicated_threads = dedicated_threads;
        self
    }

    /// Binds the server to one address or several; port 0 has the kernel choose one.
    ///
    /// Each distinct address has a socket of its own, or one for each of its [workers](Self::workers). `[::]` serves IPv4 too, unless an IPv4 address
    /// with the same port is bound beside it. From now on the kernel keeps what arrives; it is served
    /// once [`Server::serve`] is called.
    ///
    /// # Errors
    ///
    /// Fails if any address cannot be bound, naming each that could not; then none is. Fails with
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no address, a limit is zero that must
    /// not be, or an option is out of its range, naming it. The kind is
    /// [`Unsupported`](io::ErrorKind::Unsupported) for an option that this system does not have, and for
    /// several workers where it does not spread peers over them.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing stays bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, Server};
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
    pub async fn bind(self, addrs: impl ToAddrs) -> io::Result<Server>
    where
        P: Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
    {
        self.check()?;
        let sockets = bind::bind(addrs.targets(), &self.options, self.workers).await?;
        let driven = |(number, (socket, place))| {
            self.driven(number, || socket::transport(socket, place, &self.options, true))
        };
        let driven = sockets.into_iter().enumerate().map(driven).collect::<io::Result<Vec<_>>>()?;
        if self.workers > 1 {
            // What came while the sockets were not all bound may lie at another worker than what comes.
            for (transport, _) in &driven {
                transport.discard(MOST_DISCARDED);
            }
        }
        let asked = self.options.buffers().map(Some);
        self.build_joined(driven, asked)
    }

    /// Makes a server of a socket that is bound already: a `std::net::UdpSocket`, or one of a network
    /// in memory.
    ///
    /// What you ask for here, `recv_buffer`, `ttl` and so on, is set on it; all else stays as it is, but
    /// for non-blocking mode. No default is set: the receive buffer that most systems give a socket holds
    /// a few hundred datagrams, so ask for a larger [`recv_buffer`](Self::recv_buffer_size), here or on the
    /// socket. A network in memory has no options, so that there nothing is set, nor a group joined.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidInput`](io::ErrorKind::InvalidInput) if it is not a bound UDP socket, there
    /// are to be several [workers](Self::workers), a limit is zero that must not be, an option is out
    /// of its range or cannot be changed once a socket is bound ([`reuse_port`](Self::reuse_port),
    /// [`ipv6_only`](Self::ipv6_only)), naming it, or the socket has `UDP_GRO` on and is to be driven
    /// [`batch_io(false)`](Self::batch_io); as the kernel says if it refuses an option. The socket is closed then.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    pub fn socket(self, socket: impl Into<BoundSocket>) -> io::Result<Server>
    where
        P: Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
    {
        self.check()?;
        if self.workers > 1 {
            let text = format!("one socket cannot have `workers` {}", self.workers);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let socket = socket.into();
        let driven = match socket.0 {
            Kind::Udp(_) => self.driven(0, || socket.into_transport(&self.options))?,
            // It lives by the clock of the runtime that it is used in.
            #[cfg(feature = "testing")]
            Kind::Memory(_) => {
                let transport = socket.into_transport(&self.options)?;
                return self.build(vec![(transport, None)], [None; 2]);
            }
        };
        let asked = [self.options.recv_buffer_size, self.options.send_buffer_size];
        self.build_joined(vec![driven], asked)
    }

    fn check(&self) -> io::Result<()> {
        if self.workers == 0 {
            let text = "`workers` is zero where at least one was expected";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if self.workers > 1 && self.options.batch_io == Some(false) {
            // Nothing that all systems have tells the copies of what is sent to many.
            let text = "the option `batch_io` is for one worker";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        self.limits.check()?;
        self.options.check()
    }

    /// Makes the socket of the worker with this number, for the thread that is to drive it.
    fn driven(
        &self,
        number: usize,
        make: impl FnOnce() -> io::Result<Box<dyn Transport>>,
    ) -> io::Result<Driven> {
        let thread = self.dedicated_threads.then(|| DedicatedThread::new(number)).transpose()?;
        let transport = {
            let _here = thread.as_ref().map(DedicatedThread::enter);
            make()?
        };
        Ok((transport, thread))
    }

    /// As [`build`](Self::build), with what is asked for once there is a server.
    fn build_joined(self, driven: Vec<Driven>, asked: [Option<usize>; 2]) -> io::Result<Server>
    where
        P: Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
    {
        let groups = self.options.multicast.clone();
        let server = self.build(driven, asked)?;
        for (group, interface) in groups {
            server.join_multicast(group, interface)?;
        }
        server.handle().diagnostics().tell_short_buffers();
        Ok(server)
    }

    /// `asked` are the receive buffer and the send buffer that somebody has asked for.
    pub(super) fn build(self, driven: Vec<Driven>, asked: [Option<usize>; 2]) -> io::Result<Server>
    where
        P: Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
    {
        let protocol: Arc<AnyProtocol<P::Incoming, P::Outgoing>> = Arc::new(self.protocol);
        let limits = Arc::new(self.limits);
        let counters = Arc::new(Counters::default());
        let events = Arc::new(Events::new(limits.max_events_per_second, Arc::clone(&counters)));
        let tasks = Arc::new(Tasks::new(limits.max_tasks));
        let Addr::Ip(local_addr) = *driven[0].0.local_addr();
        let each_address = driven.iter().step_by(self.workers);
        let addresses: Arc<[_]> =
            each_address.map(|(transport, _)| transport.local_addr().clone()).collect();
        let socket = |(transport, thread): Driven| {
            let admission = Admission::new(Arc::clone(&addresses), self.check.clone());
            let outbox = Outbox::new(
                transport,
                Arc::clone(&counters),
                Arc::clone(&events),
                limits.send_timeout,
            );
            let (limits, counters) = (Arc::clone(&limits), Arc::clone(&counters));
            let (events, tasks) = (Arc::clone(&events), Arc::clone(&tasks));
            let socket =
                SocketState::new(Arc::clone(&protocol), outbox, limits, counters, events, tasks);
            Guarded { socket: Arc::new(socket), admission: Arc::new(admission), thread }
        };
        let ports: Vec<_> = driven.into_iter().map(socket).collect();
        let watched = ports.iter().map(|guarded| Watched::new(&guarded.socket, asked)).collect();
        let status = Arc::new(Status::new(addresses.to_vec()));
        Ok(Server {
            engine: Box::new(Sockets { handler: Arc::new(self.handler), ports }),
            counters,
            events,
            tasks,
            status: Arc::clone(&status),
            watch: Arc::new(SocketWatch::new(watched)),
            local_addr,
            _life: Life(status),
        })
    }
}

/// A socket, and the thread of its worker if that has one of its own.
type Driven = (Box<dyn Transport>, Option<DedicatedThread>);

impl<P: fmt::Debug, H> fmt::Debug for ServerBuilder<P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("protocol", &self.protocol)
            .field("limits", &self.limits)
            .field("workers", &self.workers)
            .field("dedicated_threads", &self.dedicated_threads)
            .finish_non_exhaustive()
    }
}
