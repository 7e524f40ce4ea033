//! Options that decide which datagrams a server receives, and on which threads.

use std::sync::Arc;

use super::ServerBuilder;
#[cfg(doc)]
use crate::Server;
use crate::{Addr, RateLimit};

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

    /// Sets whether each worker has its own thread. A [worker](crate::Udp::workers) is a socket and the loop
    /// that reads it. The default is false: workers are tasks of the runtime that calls
    /// [`serve`](Server::serve).
    ///
    /// If the worker is a task of the runtime, a handler that blocks its thread also stops the worker from
    /// receiving. A worker on its own thread (named `datagrammar-0`, `datagrammar-1` and so on) still
    /// receives while handlers block all threads of the runtime. Then datagrams wait in the server, within
    /// its [limits](Self::limits), and not in the socket.
    ///
    /// Conversations still run on the runtime that calls `serve`. Each conversation is then a task, which
    /// costs more time; this matters for short ones. The threads end when `serve` ends. For one blocking call
    /// in a handler, `tokio::task::spawn_blocking` is enough. A function that always blocks becomes a handler
    /// through [`blocking::handler`](crate::blocking::handler) (feature `blocking`).
    ///
    /// This option has no effect on a network in memory, because such a network uses the clock of the
    /// runtime.
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
    #[doc(alias = "spawn_blocking")]
    #[doc(alias = "thread pool")]
    pub fn dedicated_threads(mut self, dedicated_threads: bool) -> Self {
        self.options.dedicated_threads = dedicated_threads;
        self
    }
}
