use std::{io, net::SocketAddr};

use tokio::net::{ToSocketAddrs, lookup_host};

use super::{UdpClient, link::Link};
use crate::{
    DatagramProtocol, Ecn,
    transport::{
        LONGEST,
        socket::{self, AddrErrors},
    },
};

/// Sets a [`UdpClient`] up. Everything has a default.
///
/// Options that are not here are set on the socket of the client, see [`UdpClient::socket_ref`], or on a
/// `std::net::UdpSocket`, of which [`UdpClient::from_socket`] makes one.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, UdpClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let local = "127.0.0.1:0".parse().unwrap();
/// let client = UdpClient::builder(Text).local_addr(local).ttl(4).connect("127.0.0.1:9000").await?;
/// assert_eq!(client.local_addr().socket_addr().unwrap().ip(), local.ip());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a client is made by `connect`"]
pub struct UdpClientBuilder<P> {
    protocol: P,
    local_addr: Option<SocketAddr>,
    options: socket::Options,
    datagram: usize,
}

impl<P: DatagramProtocol> UdpClientBuilder<P> {
    pub(super) fn new(protocol: P) -> Self {
        Self { protocol, local_addr: None, options: socket::Options::default(), datagram: LONGEST }
    }

    /// Sets the address the client sends from. By default the kernel chooses it by the route.
    pub const fn local_addr(mut self, addr: SocketAddr) -> Self {
        self.local_addr = Some(addr);
        self
    }

    /// Asks for a receive buffer of so many octets. The default is 4 MiB; the kernel may give less.
    pub const fn recv_buffer(mut self, octets: usize) -> Self {
        self.options.recv_buffer = Some(octets);
        self
    }

    /// Asks for a send buffer of so many octets. The default is 4 MiB; the kernel may give less.
    pub const fn send_buffer(mut self, octets: usize) -> Self {
        self.options.send_buffer = Some(octets);
        self
    }

    /// Sets whether trains of datagrams of one length pass the kernel as one: on Linux, `UDP_GRO` and
    /// `UDP_SEGMENT`. The default is true. The peer notices nothing of it.
    pub const fn offload(mut self, offload: bool) -> Self {
        self.options.offload = Some(offload);
        self
    }

    /// Sets whether to make one system call per datagram, as on every system, where there is something
    /// better. The default is false.
    pub const fn portable(mut self, portable: bool) -> Self {
        self.options.portable = portable;
        self
    }

    /// Sets how many routers a datagram may pass, 1 to 255: the time to live of IPv4, the hop limit of
    /// IPv6; of multicast too, if the peer is a group.
    pub const fn ttl(mut self, hops: u8) -> Self {
        self.options.ttl = Some(hops);
        self
    }

    /// Marks datagrams with a class of traffic, 0 to 63 (DSCP, RFC 2474). The default is 0.
    ///
    /// 46 is for what must not wait (RFC 3246), 8 for what may. It asks the routers of your network,
    /// and most others take no notice.
    pub const fn dscp(mut self, class: u8) -> Self {
        self.options.dscp = Some(class);
        self
    }

    /// Marks datagrams for explicit congestion notification (RFC 3168). The default is
    /// [`Ecn::NotEct`], for a protocol that takes no notice of marks.
    ///
    /// Only one that hears of marks from the other side, and sends less then, may claim
    /// [`Ecn::Ect0`] or [`Ecn::Ect1`] (RFC 8085, section 3.1.7).
    pub const fn ecn(mut self, ecn: Ecn) -> Self {
        self.options.ecn = Some(ecn);
        self
    }

    /// Sends and receives over the network interface of this name only, `eth0` for one, whatever the
    /// routes say. Linux only.
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.options.device = Some(name.into());
        self
    }

    /// Allows the peer to be a broadcast address. Note that a client hears its peer only, and nobody
    /// answers from such an address.
    pub const fn broadcast(mut self, allowed: bool) -> Self {
        self.options.broadcast = Some(allowed);
        self
    }

    /// Sets the length of the longest datagram that is received, in octets; a longer one is a decode
    /// error. The default is 65,535, more than UDP can carry.
    pub const fn datagram_limit(mut self, octets: usize) -> Self {
        // A limit that nothing can reach is none, and costs no memory.
        self.datagram = if octets < LONGEST { octets } else { LONGEST };
        self
    }

    /// Connects to `addr`; of several addresses, or those of a name, to the first that works.
    ///
    /// Connecting sends nothing: whether anybody is there shows when one does not answer.
    ///
    /// # Errors
    ///
    /// Fails if no address works, naming each with its error, and if a name cannot be resolved or has
    /// no address that goes with the local one. Fails with
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if an option is out of its range, naming it; the
    /// kind is [`Unsupported`](io::ErrorKind::Unsupported) for one that this system does not have.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left over.
    pub async fn connect(self, addr: impl ToSocketAddrs) -> io::Result<UdpClient<P>> {
        self.options.check()?;
        let mut failed = Vec::new();
        let mut other_family = false;
        for peer in lookup_host(addr).await? {
            if self.local_addr.is_some_and(|local| local.is_ipv4() != peer.is_ipv4()) {
                other_family = true;
                continue;
            }
            match socket::connect(self.local_addr, peer, &self.options) {
                Ok(socket) => {
                    let link = Link::new(socket.into(), &self.options, true)?;
                    return Ok(UdpClient::new(link, self.protocol, self.datagram));
                }
                Err(error) => failed.push((peer, error)),
            }
        }
        if !failed.is_empty() {
            return Err(AddrErrors { what: "cannot be connected to", failed }.into());
        }
        let text = if other_family {
            "all addresses of the peer are of another family than the local address"
        } else {
            "the name of the peer has no address"
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}
