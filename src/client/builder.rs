use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::task::coop;

use super::{Client, link::Link};
use crate::{
    DatagramProtocol, Ecn, ToAddrs,
    transport::{LONGEST, Target, joined, socket, unmapped},
};

/// Sets a [`Client`] up. Everything has a default.
///
/// Options that are not here are set on the socket of the client, see [`Client::socket_ref`], or on a
/// `std::net::UdpSocket`, of which [`Client::from_socket`] makes one.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, Client};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let builder = Client::builder(Text).local_addr("127.0.0.1:0").ttl(4);
/// let client = builder.connect("127.0.0.1:9000").await?;
/// assert!(client.local_addr().to_string().starts_with("127.0.0.1:"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a client is made by `connect`"]
pub struct ClientBuilder<P> {
    protocol: P,
    local_addr: Option<Vec<Target>>,
    options: socket::Options,
    datagram: usize,
}

impl<P: DatagramProtocol> ClientBuilder<P> {
    pub(super) fn new(protocol: P) -> Self {
        Self { protocol, local_addr: None, options: socket::Options::default(), datagram: LONGEST }
    }

    /// Sets the address the client sends from, in any form that [`connect`](Self::connect) takes. By
    /// default the kernel chooses it by the route.
    ///
    /// Of several, the first is taken that goes with the peer: `[::]` with all, an IPv4-mapped address as
    /// the IPv4 address that it is.
    pub fn local_addr(mut self, addr: impl ToAddrs) -> Self {
        self.local_addr = Some(addr.targets());
        self
    }

    /// Asks for a receive buffer of so many bytes. The default is 4 MiB; the kernel may give less.
    pub const fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.options.recv_buffer_size = Some(bytes);
        self
    }

    /// Asks for a send buffer of so many bytes. The default is 4 MiB; the kernel may give less.
    pub const fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.options.send_buffer_size = Some(bytes);
        self
    }

    /// Sets whether trains of datagrams of one length pass the kernel as one: on Linux, `UDP_GRO` and
    /// `UDP_SEGMENT`. The default is true. The peer notices nothing of it.
    pub const fn segmentation_offload(mut self, offload: bool) -> Self {
        self.options.segmentation_offload = Some(offload);
        self
    }

    /// Sets whether to make one system call per datagram, as on every system, where there is something
    /// better. The default is false.
    pub const fn batch_io(mut self, batch_io: bool) -> Self {
        self.options.batch_io = Some(batch_io);
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
    pub fn bind_device(mut self, name: impl Into<String>) -> Self {
        self.options.bind_device = Some(name.into());
        self
    }

    /// Allows the peer to be a broadcast address. Note that a client hears its peer only, and nobody
    /// answers from such an address.
    pub const fn broadcast(mut self, allowed: bool) -> Self {
        self.options.broadcast = Some(allowed);
        self
    }

    /// Sets the length of the longest datagram that is received, in bytes; a longer one is a decode
    /// error. The default is 65,535, more than UDP can carry.
    pub const fn datagram_limit(mut self, bytes: usize) -> Self {
        // A limit that nothing can reach is none, and costs no memory.
        self.datagram = if bytes < LONGEST { bytes } else { LONGEST };
        self
    }

    /// Connects to `addr`; of several addresses, or those of a name, to the first that works.
    ///
    /// Connecting sends nothing: whether anybody is there shows when one does not answer. Addresses of
    /// another family than the [local one](Self::local_addr) are skipped; an IPv4-mapped address is the
    /// IPv4 address.
    ///
    /// # Errors
    ///
    /// Fails if no address works, naming each with its error, and if a name cannot be resolved or has
    /// no address that goes with the local one. Fails with
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if text is no address or an option is out of its
    /// range, naming it, and with [`NotFound`](io::ErrorKind::NotFound) if an address names an interface
    /// that this host does not have; the kind is [`Unsupported`](io::ErrorKind::Unsupported) for an option
    /// that this system does not have.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left over.
    pub async fn connect(self, addr: impl ToAddrs) -> io::Result<Client<P>> {
        coop::consume_budget().await;
        self.options.check()?;
        let locals = self.locals().await?;
        let mut failed = Vec::new();
        let mut other_family = Vec::new();
        for target in addr.targets() {
            let peers = match target.resolve().await {
                Ok(peers) => peers,
                Err(error) => {
                    failed.push(error);
                    continue;
                }
            };
            for peer in peers.into_iter().map(unmapped) {
                let mut ways = locals.iter().filter_map(|local| towards(*local, peer)).peekable();
                if ways.peek().is_none() {
                    other_family.push(peer.to_string());
                }
                for local in ways {
                    match socket::connect(local, peer, &self.options) {
                        Ok(socket) => {
                            let link = Link::new(socket.into(), &self.options, true)?;
                            return Ok(Client::new(link, self.protocol, self.datagram));
                        }
                        Err(error) => failed.push(error),
                    }
                }
            }
        }
        if let Some(error) = joined(failed) {
            return Err(error);
        }
        if other_family.is_empty() {
            return Err(no_address());
        }
        let text = "all addresses of the peer are of another family than the local address";
        let text = format!("{text}: {}", other_family.join(", "));
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// The addresses to send from, one of which is `None` if that is for the kernel to choose.
    async fn locals(&self) -> io::Result<Vec<Option<SocketAddr>>> {
        let Some(targets) = &self.local_addr else { return Ok(vec![None]) };
        let mut locals = Vec::new();
        let mut failed = Vec::new();
        for target in targets {
            match target.resolve().await {
                Ok(addrs) => locals.extend(addrs.into_iter().map(unmapped).map(Some)),
                Err(error) => failed.push(error),
            }
        }
        match joined(failed) {
            Some(error) => Err(error),
            None if locals.is_empty() => Err(no_address()),
            None => Ok(locals),
        }
    }
}

fn no_address() -> io::Error {
    let text = "no address was given where at least one was expected";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// What to send from to reach `peer`, if `local` is chosen: nothing if they are of two families.
fn towards(local: Option<SocketAddr>, peer: SocketAddr) -> Option<Option<SocketAddr>> {
    let Some(local) = local else { return Some(None) };
    // All addresses of a host are those of IPv4 too.
    let any = local.ip() == Ipv6Addr::UNSPECIFIED && peer.is_ipv4();
    let local = if any { SocketAddr::from((Ipv4Addr::UNSPECIFIED, local.port())) } else { local };
    (local.is_ipv4() == peer.is_ipv4()).then_some(Some(local))
}
