//! What the sockets of a server are like.

use std::net::IpAddr;

use super::ServerBuilder;
use crate::{Ecn, Interface};

impl<P, H> ServerBuilder<P, H> {
    /// Asks for a receive buffer of so many bytes per socket. The default is 4 MiB; the kernel may give
    /// less, as [`ServerHandle::diagnostics`](crate::ServerHandle::diagnostics) tells.
    pub const fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.options.recv_buffer_size = Some(bytes);
        self
    }

    /// Asks for a send buffer of so many bytes per socket. The default is 4 MiB; the kernel may give
    /// less.
    pub const fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.options.send_buffer_size = Some(bytes);
        self
    }

    /// Sets whether trains of datagrams of one length pass the kernel as one: on Linux, `UDP_GRO` and
    /// `UDP_SEGMENT`. The default is true. Peers notice nothing of it; it costs nothing where there are
    /// no trains.
    ///
    /// On a [socket of yours](Self::socket) trains are received as that socket has it, unless you say it
    /// here.
    pub const fn segmentation_offload(mut self, offload: bool) -> Self {
        self.options.segmentation_offload = Some(offload);
        self
    }

    /// Sets whether to make one system call per datagram, as on every system, where there is something
    /// better. The default is false. It is for one [worker](Self::workers) per address.
    pub const fn batch_io(mut self, batch_io: bool) -> Self {
        self.options.batch_io = Some(batch_io);
        self
    }

    /// Sets how many routers a reply may pass, 1 to 255: the time to live of IPv4, the hop limit of
    /// IPv6. The default is that of the system, mostly 64; 1 keeps replies on the local network.
    pub const fn ttl(mut self, hops: u8) -> Self {
        self.options.ttl = Some(hops);
        self
    }

    /// Marks replies with a class of traffic, 0 to 63 (DSCP, RFC 2474). The default is 0.
    ///
    /// 46 is for what must not wait (RFC 3246), 8 for what may. It asks the routers of your network,
    /// and most others take no notice.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let builder = || Server::builder(Text, async |text: String| text);
    /// # #[cfg(unix)]
    /// assert!(builder().dscp(46).bind("127.0.0.1:0").await.is_ok());
    ///
    /// let error = builder().dscp(64).bind("127.0.0.1:0").await.unwrap_err();
    /// assert_eq!(error.to_string(), "the option `dscp` is 64 where 0 to 63 was expected");
    /// # Ok(())
    /// # }
    /// ```
    pub const fn dscp(mut self, class: u8) -> Self {
        self.options.dscp = Some(class);
        self
    }

    /// Marks replies for explicit congestion notification (RFC 3168). The default is
    /// [`Ecn::NotEct`], for a protocol that takes no notice of marks.
    ///
    /// Only one that hears of marks from the other side, and sends less then, may claim
    /// [`Ecn::Ect0`] or [`Ecn::Ect1`] (RFC 8085, section 3.1.7).
    pub const fn ecn(mut self, ecn: Ecn) -> Self {
        self.options.ecn = Some(ecn);
        self
    }

    /// Sets whether [`Peer::traffic_class`](crate::Peer::traffic_class) tells how datagrams are marked.
    /// The default is false, since the kernel tells it beside each one, which takes time. Linux only,
    /// and not with [`batch_io(false)`](Self::batch_io): elsewhere nothing is told.
    pub const fn recv_traffic_class(mut self, told: bool) -> Self {
        self.options.recv_traffic_class = Some(told);
        self
    }

    /// Allows replies to broadcast addresses. The default is false.
    ///
    /// It takes no permission to receive what is sent to one. A peer, however, is at such an address
    /// only if its source is forged: with this, the server's reply would go to everybody there.
    pub const fn broadcast(mut self, allowed: bool) -> Self {
        self.options.broadcast = Some(allowed);
        self
    }

    /// Sets whether sockets of IPv6 leave IPv4 to others. By default `[::]` serves both, unless an IPv4
    /// address with the same port is bound beside it. On a [socket of yours](Self::socket) this is
    /// settled: to ask for what it is not is an error.
    pub const fn ipv6_only(mut self, only: bool) -> Self {
        self.options.ipv6_only = Some(only);
        self
    }

    /// Hears and answers over the network interface of this name only, `eth0` for one, whatever the
    /// address and the routes say. Linux only.
    pub fn bind_device(mut self, name: impl Into<String>) -> Self {
        self.options.bind_device = Some(name.into());
        self
    }

    /// Sets whether others may bind the same address and port, if they ask for it too: on Unix,
    /// `SO_REUSEPORT`. The default is false.
    ///
    /// Each peer is then heard by one of those sockets, as the kernel decides by its address. Linux
    /// allows it to programs of the same user only. What is sent to a multicast or broadcast address all
    /// of them hear, and each server answers it.
    ///
    /// On a [socket of yours](Self::socket) this is settled: to ask for what it is not is an error.
    pub const fn reuse_port(mut self, shared: bool) -> Self {
        self.options.reuse_port = Some(shared);
        self
    }

    /// Has the server hear a multicast group too, by an interface of the host; may be said several
    /// times. See [`Server::join_multicast`](super::Server::join_multicast).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Interface, Text, Server};
    /// use std::net::Ipv4Addr;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let group = Ipv4Addr::new(239, 255, 77, 1);
    /// let server = Server::builder(Text, async |text: String| text)
    ///     .multicast(group, Interface::Addr(Ipv4Addr::LOCALHOST))
    ///     .bind("0.0.0.0:0")
    ///     .await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn multicast(mut self, group: impl Into<IpAddr>, interface: Interface) -> Self {
        self.options.multicast.push((group.into().to_canonical(), interface));
        self
    }
}
