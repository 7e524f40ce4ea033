//! UDP with options, for servers and clients.

use std::net::IpAddr;

use crate::{
    Ecn, Interface, OptionError, ToAddrs,
    transport::{Target, options::Options},
};

/// UDP with options: given to [`Server::bind`](crate::Server::bind) and
/// [`Client::connect`](crate::Client::connect) where an address alone is not enough.
///
/// It is made of [addresses](Self::new), or from a socket of yours (`std::net::UdpSocket`,
/// `tokio::net::UdpSocket`) by `Udp::from`: bound for a server, connected for a client. On a socket of yours
/// only the options that you set here change, and it is made non-blocking. The receive buffer that most systems give a socket holds a few hundred datagrams, so set a larger
/// [`recv_buffer_size`](Self::recv_buffer_size) there.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Server, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let local = Udp::new("127.0.0.1:0").recv_buffer_size(1 << 20).ttl(1);
/// let server = Server::bind(local, Text, async |text: String| text).await?;
///
/// let peer = Udp::new(server.local_addr()).local_addr("127.0.0.1:0").ttl(1);
/// let client = Client::connect(peer, Text).await?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it is for `Server::bind` or `Client::connect`"]
pub struct Udp {
    pub(crate) on: On,
    pub(crate) options: Options,
    pub(crate) workers: Option<usize>,
    pub(crate) local_addr: Option<Vec<Target>>,
}

/// What a transport is on.
#[derive(Debug)]
pub(crate) enum On {
    Addrs(Vec<Target>),
    Socket(CallerSocket),
}

impl On {
    pub(crate) fn targets(&self) -> &[Target] {
        match self {
            Self::Addrs(targets) => targets,
            Self::Socket(_) => &[],
        }
    }
}

/// A socket of the caller's.
#[derive(Debug)]
pub(crate) enum CallerSocket {
    Std(std::net::UdpSocket),
    Tokio(tokio::net::UdpSocket),
}

impl Udp {
    /// Makes a transport on one address or several: those that a server is bound to, port 0 for one that the
    /// kernel chooses; or that of a client's peer, of several the first that works.
    pub fn new(addrs: impl ToAddrs) -> Self {
        Self::on(On::Addrs(addrs.targets()))
    }

    fn on(on: On) -> Self {
        Self { on, options: Options::default(), workers: None, local_addr: None }
    }

    /// Sets how many workers each address has, from 1. The default is 1. Servers only.
    ///
    /// A worker is one socket and the loop that drives it. Several workers share the port, so that several
    /// cores receive at once, and the kernel gives all datagrams of a peer to the same one: Linux only, and
    /// not with [`batch_io(false)`](Self::batch_io).
    ///
    /// A single worker has the address for itself. With several, another server of the same user that has as
    /// many workers can be bound to the address too; it receives nothing while the first one is bound, except
    /// for datagrams to a multicast or broadcast address, which both servers then answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text, Udp};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # if !cfg!(target_os = "linux") { return Ok(()) }
    /// let udp = Udp::new("127.0.0.1:0").workers(2);
    /// let server = Server::bind(udp, Text, async |text: String| text).await?;
    /// assert_eq!(server.handle().local_addrs().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Sets the address that a client sends from. By default the kernel chooses it by the route. Clients only.
    ///
    /// Of several addresses, the first that goes with the peer is taken: `[::]` goes with every peer, an
    /// IPv4-mapped address counts as the IPv4 address.
    pub fn local_addr(mut self, addrs: impl ToAddrs) -> Self {
        self.local_addr = Some(addrs.targets());
        self
    }

    /// Asks for a receive buffer of so many bytes per socket. The default is 4 MiB; the kernel may give less,
    /// as [`ServerHandle::diagnostics`](crate::ServerHandle::diagnostics) shows.
    pub const fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.options.recv_buffer_size = Some(bytes);
        self
    }

    /// Asks for a send buffer of so many bytes per socket. The default is 4 MiB; the kernel may give less.
    pub const fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.options.send_buffer_size = Some(bytes);
        self
    }

    /// Sets whether several datagrams of one size pass the kernel as one: on Linux, GRO (`UDP_GRO`) and GSO
    /// (`UDP_SEGMENT`). The default is true. Peers see no difference, and single datagrams cost nothing more.
    ///
    /// On a socket of yours GRO stays as it is, unless you set this.
    pub const fn segmentation_offload(mut self, enabled: bool) -> Self {
        self.options.segmentation_offload = Some(enabled);
        self
    }

    /// Sets whether one system call receives or sends many datagrams, where the system can (Linux). The
    /// default is true; `false` makes one call for each datagram, as on every other system.
    pub const fn batch_io(mut self, enabled: bool) -> Self {
        self.options.batch_io = Some(enabled);
        self
    }

    /// Sets how many routers a datagram may pass, 1 to 255: the time to live of IPv4, the hop limit of
    /// IPv6, for multicast too. The default is that of the system, mostly 64, and 1 for multicast; 1 keeps
    /// datagrams on the local network.
    pub const fn ttl(mut self, hops: u8) -> Self {
        self.options.ttl = Some(hops);
        self
    }

    /// Sets the traffic class of what is sent, 0 to 63 (DSCP, RFC 2474). The default is 0.
    ///
    /// 46 is for what must not wait (RFC 3246), 8 for what may. It is a request to the routers of your own
    /// network; most others ignore it.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text, Udp};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let bind = |udp| Server::bind(udp, Text, async |text: String| text);
    /// # #[cfg(unix)]
    /// assert!(bind(Udp::new("127.0.0.1:0").dscp(46)).await.is_ok());
    ///
    /// let error = bind(Udp::new("127.0.0.1:0").dscp(64)).await.unwrap_err();
    /// assert_eq!(error.to_string(), "the option `dscp` is 64, the range is 0 to 63");
    /// # }
    /// ```
    pub const fn dscp(mut self, class: u8) -> Self {
        self.options.dscp = Some(class);
        self
    }

    /// Marks what is sent for explicit congestion notification (RFC 3168). The default is
    /// [`Ecn::NotEct`], for a protocol that ignores congestion marks.
    ///
    /// Use [`Ecn::Ect0`] or [`Ecn::Ect1`] only for a protocol that learns of marks from the other side, and
    /// sends less then (RFC 8085, section 3.1.7).
    pub const fn ecn(mut self, ecn: Ecn) -> Self {
        self.options.ecn = Some(ecn);
        self
    }

    /// Sets whether [`Peer::traffic_class`](crate::Peer::traffic_class) returns how datagrams are marked. The
    /// default is false, since reading the mark of each datagram takes time. Servers on Linux only, and not
    /// with [`batch_io(false)`](Self::batch_io): elsewhere there are no marks.
    pub const fn recv_traffic_class(mut self, enabled: bool) -> Self {
        self.options.recv_traffic_class = Some(enabled);
        self
    }

    /// Allows sending to broadcast addresses. The default is false.
    ///
    /// Receiving what is sent to a broadcast address needs no permission. A peer of a server has such an
    /// address only if its source is forged: with this option, the server's reply would go to everybody
    /// there. A client receives from its peer only, and nobody answers from a broadcast address: to find
    /// peers, use [`ServerHandle::sender`](crate::ServerHandle::sender).
    pub const fn broadcast(mut self, allowed: bool) -> Self {
        self.options.broadcast = Some(allowed);
        self
    }

    /// Sets whether sockets of IPv6 leave IPv4 to others. By default `[::]` serves both, unless an IPv4
    /// address with the same port is bound beside it. Servers only. A socket of yours cannot change this any
    /// more: another value than it has is an error.
    pub const fn ipv6_only(mut self, only: bool) -> Self {
        self.options.ipv6_only = Some(only);
        self
    }

    /// Sends and receives over the network interface of this name only, such as `eth0`, whatever the address
    /// and the routes are. Linux only.
    pub fn bind_device(mut self, name: impl Into<String>) -> Self {
        self.options.bind_device = Some(name.into());
        self
    }

    /// Sets whether others may bind the same address and port, if they set this too: on Unix,
    /// `SO_REUSEPORT`. The default is false.
    ///
    /// Each peer then reaches one of those sockets, which the kernel chooses by the peer's address. Linux
    /// allows it to programs of the same user only. Each socket receives what is sent to a multicast or
    /// broadcast address, and each server answers it.
    ///
    /// A socket of yours cannot change this any more: another value than it has is an error. A client needs a
    /// [`local_addr`](Self::local_addr) for it.
    pub const fn reuse_port(mut self, shared: bool) -> Self {
        self.options.reuse_port = Some(shared);
        self
    }

    /// Joins a multicast group by an interface of the host; may be called several times. Servers only. See
    /// [`Server::join_multicast`](crate::Server::join_multicast).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Interface, Server, Text, Udp};
    /// use std::net::Ipv4Addr;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let group = Ipv4Addr::new(239, 255, 77, 1);
    /// let udp = Udp::new("0.0.0.0:0").multicast(group, Interface::Addr(Ipv4Addr::LOCALHOST));
    /// let server = Server::bind(udp, Text, async |text: String| text).await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn multicast(mut self, group: impl Into<IpAddr>, interface: Interface) -> Self {
        self.options.multicast.push((group.into().to_canonical(), interface));
        self
    }

    /// Refuses options with which no server can be bound.
    pub(crate) fn check_server(&self) -> Result<(), OptionError> {
        if self.local_addr.is_some() {
            return Err(OptionError::invalid("local_addr", "is for clients"));
        }
        match self.workers {
            Some(0) => return Err(OptionError::invalid("workers", "is 0, the least is 1")),
            Some(2..) if matches!(self.on, On::Socket(_)) => {
                return Err(OptionError::invalid("workers", "is more than 1 for one socket"));
            }
            // The portable calls cannot detect copies of what is sent to many.
            Some(2..) if self.options.batch_io == Some(false) => {
                let problem = "is false, but several workers need batches";
                return Err(OptionError::unsupported("batch_io", problem));
            }
            _ => {}
        }
        self.options.check()
    }

    /// Refuses options with which no client can be connected.
    pub(crate) fn check_client(&self) -> Result<(), OptionError> {
        let Options { recv_traffic_class, ipv6_only, multicast, reuse_port, .. } = &self.options;
        let for_servers = [
            ("workers", self.workers.is_some()),
            ("recv_traffic_class", recv_traffic_class.is_some()),
            ("ipv6_only", ipv6_only.is_some()),
            ("multicast", !multicast.is_empty()),
        ];
        if let Some((name, _)) = for_servers.iter().find(|(_, set)| *set) {
            return Err(OptionError::invalid(name, "is for servers"));
        }
        let on_socket = matches!(self.on, On::Socket(_));
        if on_socket && self.local_addr.is_some() {
            return Err(OptionError::invalid(
                "local_addr",
                "is for new sockets, this one is bound",
            ));
        }
        if !on_socket && self.local_addr.is_none() && *reuse_port == Some(true) {
            return Err(OptionError::invalid(
                "reuse_port",
                "is true, but there is no `local_addr`",
            ));
        }
        self.options.check()
    }

    /// Whether `other` is on addresses with the same options, so that both are one set of addresses.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        matches!((&self.on, &other.on), (On::Addrs(_), On::Addrs(_)))
            && (&self.options, self.workers) == (&other.options, other.workers)
            && self.local_addr.is_none()
            && other.local_addr.is_none()
    }
}

impl From<std::net::UdpSocket> for Udp {
    fn from(socket: std::net::UdpSocket) -> Self {
        Self::on(On::Socket(CallerSocket::Std(socket)))
    }
}

impl From<tokio::net::UdpSocket> for Udp {
    fn from(socket: tokio::net::UdpSocket) -> Self {
        Self::on(On::Socket(CallerSocket::Tokio(socket)))
    }
}

impl CallerSocket {
    pub(crate) fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
        match self {
            Self::Std(socket) => socket.local_addr(),
            Self::Tokio(socket) => socket.local_addr(),
        }
    }

    pub(crate) fn into_std(self) -> std::io::Result<std::net::UdpSocket> {
        match self {
            Self::Std(socket) => Ok(socket),
            Self::Tokio(socket) => socket.into_std(),
        }
    }
}
