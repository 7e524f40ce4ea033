//! The load balancers that may say from whom a datagram comes.

use super::ServerBuilder;
use crate::{IpNetwork, proxy::TrustedProxies};

impl<P> ServerBuilder<P> {
    /// Trusts the PROXY protocol of these networks: their datagrams say from whom they come. By default it trusts nobody. The
    /// networks of the last call count.
    ///
    /// Load balancers such as dnsdist put a header in front of each datagram (version 2, in [proxy-protocol.txt] of HAProxy,
    /// section 2.2). It has the address of the client. The server removes it, and the client is the peer, everywhere:
    /// [`Peer::addr`](crate::Peer::addr), conversations, [source filter](Self::source_filter), [rate limits](Self::rate_limit),
    /// [guard](Self::guard), [address tokens](Self::address_tokens), [reply cache](Self::reply_cache) and log. Replies go to the
    /// proxy, without a header. [`Addr::proxy`](crate::Addr::proxy) is its address.
    ///
    /// **Anybody in these networks can be any peer.** Trust only your load balancers, and let a firewall keep out others who
    /// forge their addresses.
    ///
    /// | a datagram from | with a valid header | with an invalid one | without one |
    /// | --- | --- | --- | --- |
    /// | a trusted network | is of the client | is dropped | is dropped |
    /// | elsewhere | is dropped | is dropped | is of its sender, or is dropped: [`require_proxy`](Self::require_proxy) |
    ///
    /// What is dropped counts as [`DropReason::ProxyHeader`](crate::DropReason::ProxyHeader). The first one is logged at WARN.
    ///
    /// - **Accepted** are IPv4 and IPv6, whether the client has come over UDP or TCP, and `LOCAL`, with which a proxy sends for
    ///   itself, for example to see whether the server is there. The peer is the proxy then. Extensions are skipped, except that
    ///   a checksum (CRC-32C) must be right.
    /// - **Refused** are the text of version 1, a client without an address (`AF_UNSPEC`) or on a Unix socket (`AF_UNIX`), and
    ///   what is truncated or does not end where it says. A header alone in the first datagram of a client, as Cloudflare
    ///   Spectrum sends it, is one in front of an empty datagram. The next ones have none, and are dropped.
    /// - **Two clients behind one proxy are two peers.** One client behind two proxies is one peer. Each reply goes where the
    ///   last datagram that the handler has received came from. A [`PeerSender`](crate::PeerSender) keeps to the proxy of the
    ///   time when it was made. So does [`ServerHandle::sender`](crate::ServerHandle::sender) with the
    ///   [`Peer::addr`](crate::Peer::addr) of a client; with an address that you have made it sends to the client itself.
    /// - **Lengths.** The header counts neither for [`max_datagram_size`](crate::Limits::max_datagram_size), if it has up to 536
    ///   bytes, nor for what the guard allows as a reply. It counts in
    ///   [`ServerStats::received_bytes`](crate::ServerStats::received_bytes).
    /// - **[`kernel_filter`](Self::kernel_filter)** lets headers pass, whatever is behind them.
    /// - **Several [workers](crate::Udp::workers)** share clients, not proxies. The kernel then no longer merges received
    ///   datagrams (GRO), because it would not see each header. One exception: datagrams to a multicast or broadcast address are
    ///   shared by the address of the proxy.
    /// - A Unix socket has no proxies: a header is a part of its datagrams.
    ///
    /// # Errors
    ///
    /// [`bind`](Self::bind) fails with [`BindError::Option`](crate::BindError::Option) if there are only Unix sockets.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Addr, Client, Raw, Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let who = async |_: String, peer: Addr| format!("{peer} through {}", peer.proxy().unwrap());
    /// let server = Server::builder(Text, who)
    ///     .trust_proxy(["127.0.0.0/8".parse()?])
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// let proxy = Client::connect(server.local_addr(), Raw).await?;
    /// server.spawn();
    ///
    /// // What a load balancer sends for 192.0.2.7:5000, which has sent "who am I?" to 192.0.2.1:53.
    /// let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x13\x88\0\x35";
    /// proxy.send(&[&header[..], b"who am I?"].concat().into()).await?;
    /// let reply = proxy.recv().await?;
    /// assert_eq!(reply, format!("192.0.2.7:5000 through {}", proxy.local_addr()).as_bytes());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [proxy-protocol.txt]: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
    #[doc(alias("PROXY protocol", "HAProxy", "load balancer", "X-Forwarded-For"))]
    pub fn trust_proxy(mut self, networks: impl IntoIterator<Item = IpNetwork>) -> Self {
        let networks = networks.into_iter().collect();
        self.options.proxies = Some(TrustedProxies { networks, is_required: false });
        self
    }

    /// Sets whether each datagram must come from a [trusted proxy](Self::trust_proxy). The default is false: others are peers
    /// too, without a header.
    ///
    /// With true, what comes from elsewhere is dropped, and counts as
    /// [`DropReason::ProxyHeader`](crate::DropReason::ProxyHeader). Use it if clients reach the server through load balancers
    /// only. It has no effect on Unix sockets.
    ///
    /// # Errors
    ///
    /// [`bind`](Self::bind) fails with [`BindError::Option`](crate::BindError::Option) if it is true without
    /// [`trust_proxy`](Self::trust_proxy).
    pub fn require_proxy(mut self, require_proxy: bool) -> Self {
        self.options.requires_proxy = require_proxy;
        self
    }
}
