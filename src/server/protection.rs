//! The options of a server that protect it from its peers, and others from the server.

use std::sync::Arc;

use super::ServerBuilder;
use crate::{Addr, Guard, RateLimit};

impl<P> ServerBuilder<P> {
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
    pub fn source_filter(mut self, filter: impl Fn(&Addr) -> bool + Send + Sync + 'static) -> Self {
        self.options.source_filter = Some(Arc::new(filter));
        self
    }

    /// Adds a [limit](RateLimit) on the datagrams of each source. By default there is none. With several limits, a datagram
    /// must be within each of them.
    ///
    /// The limits are checked after the [source filter](Self::source_filter). What is beyond them is dropped before it is
    /// decoded, and counted as [`DropReason::Rate`](crate::DropReason::Rate). So an attacker who forges the
    /// address of somebody else makes the server send at most that many replies there.
    ///
    /// The page of [`RateLimit`] has an example.
    #[doc(alias = "throttle")]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.options.rate_limits.push(limit);
        self
    }

    /// Sets the [guard](Guard), for a server that any host on the internet can reach: `Guard::internet()`. By default there
    /// is none.
    ///
    /// The page of [`Guard`] has an example.
    #[doc(alias = "amplification")]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.options.guard = Some(guard);
        self
    }
}
