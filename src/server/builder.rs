use std::{fmt, io, sync::Arc};

use super::{
    UdpServer,
    admission::{Admission, Check},
    bind::{self, BindAddrs},
    engine::{Guarded, Sockets},
};
use crate::{
    BoundSocket, DatagramProtocol, Handler, Limits, PeerAddr,
    events::Events,
    figures::Counters,
    peer::{
        outbox::Outbox,
        port::{AnyProtocol, Port},
    },
    service::{
        status::Status,
        watch::{SocketWatch, Watched},
    },
    transport::{
        Transport,
        socket::{self, Options},
    },
};

/// Sets a [`UdpServer`] up. Everything has a default.
#[must_use = "a server is made by `bind` or `socket`"]
pub struct UdpServerBuilder<P, H> {
    protocol: P,
    handler: H,
    limits: Limits,
    check: Option<Check>,
    pub(super) options: Options,
}

impl<P, H> UdpServerBuilder<P, H>
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
    /// refused before it.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{PeerAddr, Text, UdpServer};
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let server = UdpServer::builder(Text, async |text: String| text)
    ///     .admit(|peer: &PeerAddr| peer.socket_addr().is_some_and(|addr| addr.ip().is_loopback()))
    ///     .bind("[::]:9000")
    ///     .await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn admit(mut self, check: impl Fn(&PeerAddr) -> bool + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Binds the server to one address or several; port 0 has the kernel choose one.
    ///
    /// Each distinct address has a socket of its own. `[::]` serves IPv4 too, unless an IPv4 address
    /// with the same port is bound beside it. From now on the kernel keeps what arrives; it is served
    /// once [`UdpServer::serve`] is called.
    ///
    /// # Errors
    ///
    /// Fails if any address cannot be bound, naming each that could not; then none is. Fails with
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no address, a limit is zero that must
    /// not be, or an option is out of its range, naming it. The kind is
    /// [`Unsupported`](io::ErrorKind::Unsupported) for an option that this system does not have.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing stays bound.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, UdpServer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = UdpServer::builder(Text, async |text: String| text)
    ///     .bind(["127.0.0.1:0", "127.0.0.2:0"])
    ///     .await?;
    /// assert_eq!(server.control().addresses().len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bind(self, addrs: impl BindAddrs) -> io::Result<UdpServer>
    where
        P: Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
    {
        self.limits.check()?;
        self.options.check()?;
        let sockets = bind::bind(addrs.targets(), &self.options).await?;
        let transport = |socket| socket::transport(socket, &self.options, true);
        let transports = sockets.into_iter().map(transport).collect::<io::Result<_>>()?;
        let groups = self.options.multicast.clone();
        let asked = [self.options.recv_buffer, self.options.send_buffer];
        let server = self.build(transports, Some(asked))?;
        for (group, interface) in groups {
            server.join_multicast(group, interface)?;
        }
        server.control().explain().tell_short_buffers();
        Ok(server)
    }

    /// Makes a server of a socket that is bound already: a `std::net::UdpSocket`, or one of a network
    /// in memory.
    ///
    /// Its options stay as they are; only non-blocking mode is set. Those that were asked for here, the
    /// buffers, `ttl` and so on, are for the sockets of [`bind`](Self::bind): set them on yours yourself.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidInput`](io::ErrorKind::InvalidInput) if it is not a bound UDP socket, a limit
    /// is zero that must not be, or an option is out of its range.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    pub fn socket(self, socket: impl Into<BoundSocket>) -> io::Result<UdpServer>
    where
        P: Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
    {
        self.limits.check()?;
        self.options.check()?;
        let transport = socket.into().into_transport(&self.options)?;
        self.build(vec![transport], None)
    }

    /// `asked` are the receive buffer and the send buffer, unless the socket is a user's.
    fn build(
        self,
        transports: Vec<Box<dyn Transport>>,
        asked: Option<[usize; 2]>,
    ) -> io::Result<UdpServer>
    where
        P: Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
    {
        let protocol: Arc<AnyProtocol<P::Incoming, P::Outgoing>> = Arc::new(self.protocol);
        let limits = Arc::new(self.limits);
        let counters = Arc::new(Counters::default());
        let events = Arc::new(Events::new(limits.events, Arc::clone(&counters)));
        let PeerAddr::Ip(local_addr) = *transports[0].local_addr();
        let addresses = transports.iter().map(|transport| transport.local_addr().clone()).collect();
        let port = |transport: Box<dyn Transport>| {
            let admission = Admission::new(transport.local_addr().clone(), self.check.clone());
            let outbox = Outbox::new(transport, Arc::clone(&counters), Arc::clone(&events));
            let (limits, counters) = (Arc::clone(&limits), Arc::clone(&counters));
            let port =
                Port::new(Arc::clone(&protocol), outbox, limits, counters, Arc::clone(&events));
            Guarded { port: Arc::new(port), admission: Arc::new(admission) }
        };
        let ports: Vec<_> = transports.into_iter().map(port).collect();
        let watched = ports.iter().map(|guarded| Watched::new(&guarded.port, asked)).collect();
        Ok(UdpServer {
            engine: Box::new(Sockets { handler: Arc::new(self.handler), ports }),
            counters,
            events,
            status: Arc::new(Status::new(addresses)),
            watch: Arc::new(SocketWatch::new(watched)),
            local_addr,
        })
    }
}

impl<P: fmt::Debug, H> fmt::Debug for UdpServerBuilder<P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpServerBuilder")
            .field("protocol", &self.protocol)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
