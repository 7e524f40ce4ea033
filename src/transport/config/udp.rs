//! UDP with options, for servers and clients.

use std::net::IpAddr;

use crate::{
    Ecn, Interface, OptionError, ToAddrs,
    transport::{Target, options::Options},
};

/// UDP with options. Pass it to [`Server::bind`](crate::Server::bind) or
/// [`Client::connect`](crate::Client::connect) instead of an address.
///
/// [`Udp::new`](Self::new) makes it from addresses. `Udp::from` makes it from your own socket
/// (`std::net::UdpSocket` or `tokio::net::UdpSocket`). For a server the socket must be bound, for a client
/// connected.
///
/// On your own socket only the options that you set here change, and it becomes non-blocking. The default
/// receive buffer of most systems holds a few hundred datagrams, so set a larger
/// [`recv_buffer_size`](Self::recv_buffer_size) for such a socket.
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

/// The addresses or the socket of a transport.
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

/// A socket of the caller.
#[derive(Debug)]
pub(crate) enum CallerSocket {
    Std(std::net::UdpSocket),
    Tokio(tokio::net::UdpSocket),
}

impl Udp {
    /// Makes a transport with the default options, from one address or several. A server is bound to all of
    /// them; with port 0 the kernel chooses a port. A client connects to the first to which the kernel can
    /// connect a socket.
    pub fn new(addrs: impl ToAddrs) -> Self {
        Self::on(On::Addrs(addrs.targets()))
    }

    fn on(on: On) -> Self {
        Self { on, options: Options::default(), workers: None, local_addr: None }
    }

    /// Sets the number of workers for each address, 1 or more. The default is 1. For servers only.
    ///
    /// A worker is one socket and the loop that reads it. Several workers share the port (`SO_REUSEPORT`), so
    /// that several cores receive at the same time. The kernel gives all datagrams of one peer to the same
    /// worker. Several workers need Linux, and do not work with [`batch_io(false)`](Self::batch_io).
    ///
    /// With one worker, no other program can bind the address. With several, another server of the same user
    /// with the same number of workers can bind the address too. It receives nothing while the first server
    /// is bound. The exception is datagrams to a multicast or broadcast address: both servers answer these.
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
    #[doc(alias = "SO_REUSEPORT")]
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Sets the address that a client sends from. By default the kernel chooses the address that fits the
    /// route to the peer. For clients only.
    ///
    /// If there are several addresses, the client uses the first with the family of the peer. `[::]` fits
    /// every peer, and an IPv4-mapped address counts as the IPv4 address.
    pub fn local_addr(mut self, addrs: impl ToAddrs) -> Self {
        self.local_addr = Some(addrs.targets());
        self
    }

    /// Requests a receive buffer of this many bytes for each socket. The default is 4 MiB. The kernel may
    /// grant less; [`ServerHandle::diagnostics`](crate::ServerHandle::diagnostics) shows the granted size.
    pub const fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.options.recv_buffer_size = Some(bytes);
        self
    }

    /// Requests a send buffer of this many bytes for each socket. The default is 4 MiB. The kernel may grant
    /// less; [`ServerHandle::diagnostics`](crate::ServerHandle::diagnostics) shows the granted size.
    pub const fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.options.send_buffer_size = Some(bytes);
        self
    }

    /// Sets whether the kernel merges received datagrams of one size (GRO, `UDP_GRO`) and splits sent ones
    /// (GSO, `UDP_SEGMENT`). The default is true. It has an effect on Linux only. Peers notice no difference,
    /// and single datagrams do not cost more.
    ///
    /// On your own socket, GRO stays as it is unless you set this.
    pub const fn segmentation_offload(mut self, enabled: bool) -> Self {
        self.options.segmentation_offload = Some(enabled);
        self
    }

    /// Sets whether one system call receives or sends many datagrams (`recvmmsg`, `sendmmsg`). The default is
    /// true. It has an effect on Linux only; other systems always make one call for each datagram, as `false`
    /// does.
    pub const fn batch_io(mut self, enabled: bool) -> Self {
        self.options.batch_io = Some(enabled);
        self
    }

    /// Sets how many routers a datagram may pass, from 1 to 255: the time to live of IPv4 and the hop limit
    /// of IPv6, for multicast too. The default is the system's, usually 64, and 1 for multicast. With 1,
    /// datagrams do not leave the local network.
    #[doc(alias = "hop limit")]
    pub const fn ttl(mut self, hops: u8) -> Self {
        self.options.ttl = Some(hops);
        self
    }

    /// Sets the priority class of sent datagrams, from 0 to 63 (DSCP, RFC 2474). The default is 0.
    ///
    /// 46 is for datagrams that must not wait (RFC 3246); 8 is for datagrams that can wait. The class is a
    /// request to the routers of your own network. Most other routers ignore it.
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

    /// Sets the mark of sent datagrams for explicit congestion notification (RFC 3168). The default is
    /// [`Ecn::NotEct`], for protocols that ignore congestion marks.
    ///
    /// Use [`Ecn::Ect0`] or [`Ecn::Ect1`] only for a protocol in which the other side reports the marks that
    /// it receives, and this side then sends less (RFC 8085, section 3.1.7).
    pub const fn ecn(mut self, ecn: Ecn) -> Self {
        self.options.ecn = Some(ecn);
        self
    }

    /// Sets whether [`Peer::traffic_class`](crate::Peer::traffic_class) returns the traffic class of received
    /// datagrams. The default is false, because reading it takes time for each datagram. It works for servers
    /// on Linux only, and not with [`batch_io(false)`](Self::batch_io). Otherwise `Peer::traffic_class`
    /// returns `None`.
    pub const fn recv_traffic_class(mut self, enabled: bool) -> Self {
        self.options.recv_traffic_class = Some(enabled);
        self
    }

    /// Sets whether sending to broadcast addresses is allowed (`SO_BROADCAST`). The default is false.
    ///
    /// A socket receives datagrams to a broadcast address without this option. A peer of a server has a
    /// broadcast address only if its source address is forged. With this option, the server's reply to such a
    /// peer would go to all hosts of that network. A client receives from its peer's address only, and no
    /// answer comes from a broadcast address. So to find peers, use a server and
    /// [`ServerHandle::sender`](crate::ServerHandle::sender).
    #[doc(alias = "SO_BROADCAST")]
    pub const fn broadcast(mut self, allowed: bool) -> Self {
        self.options.broadcast = Some(allowed);
        self
    }

    /// Sets whether `[::]` serves IPv6 only. By default it serves IPv4 too, unless an IPv4 address with the
    /// same port is bound as well. For servers only. On your own socket this option is already fixed: a value
    /// that differs from the socket's is an error.
    pub const fn ipv6_only(mut self, only: bool) -> Self {
        self.options.ipv6_only = Some(only);
        self
    }

    /// Sends and receives only over the network interface with this name, such as `eth0`, regardless of
    /// addresses and routes (`SO_BINDTODEVICE`). Linux only. The name has 1 to 15 bytes.
    pub fn bind_device(mut self, name: impl Into<String>) -> Self {
        self.options.bind_device = Some(name.into());
        self
    }

    /// Sets whether other sockets that set this too may bind the same address and port (`SO_REUSEPORT`). The
    /// default is false. Unix only.
    ///
    /// The kernel then chooses one of these sockets for each peer, by the peer's address. Linux allows this
    /// only for programs of the same user. Each of the sockets receives the datagrams to a multicast or
    /// broadcast address, and each server answers them.
    ///
    /// On your own socket this option is already fixed: a value that differs from the socket's is an error. A
    /// client needs a [`local_addr`](Self::local_addr) for this option.
    #[doc(alias = "SO_REUSEPORT")]
    pub const fn reuse_port(mut self, shared: bool) -> Self {
        self.options.reuse_port = Some(shared);
        self
    }

    /// Joins a multicast group on an interface of the host. It can be called several times, to join several
    /// groups. For servers only. See [`Server::join_multicast`](crate::Server::join_multicast) for which
    /// addresses of the server join.
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
    #[doc(alias = "IP_ADD_MEMBERSHIP")]
    pub fn multicast(mut self, group: impl Into<IpAddr>, interface: Interface) -> Self {
        self.options.multicast.push((group.into().to_canonical(), interface));
        self
    }

    /// Returns an error for options with which no server can be bound.
    pub(crate) fn check_server(&self) -> Result<(), OptionError> {
        if self.local_addr.is_some() {
            return Err(OptionError::invalid("local_addr", "is for clients"));
        }
        match self.workers {
            Some(0) => return Err(OptionError::invalid("workers", "is 0, the minimum is 1")),
            Some(2..) if matches!(self.on, On::Socket(_)) => {
                return Err(OptionError::invalid(
                    "workers",
                    "is more than 1, the caller's own socket has one",
                ));
            }
            // The portable calls cannot detect the copies of multicast datagrams.
            Some(2..) if self.options.batch_io == Some(false) => {
                let problem = "is false, but several workers need batches";
                return Err(OptionError::unsupported("batch_io", problem));
            }
            _ => {}
        }
        self.options.check()
    }

    /// Returns an error for options with which no client can be connected.
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

    /// Whether both have addresses and the same options, so that they count as one set of addresses.
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
