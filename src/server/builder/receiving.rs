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

    /// Sets whether the kernel drops datagrams that cannot be packets of the protocol. The default is false.
    ///
    /// The server makes a small program of the protocol's [shape](crate::DatagramProtocol::shape), which is lengths and
    /// first bytes, and attaches it to its UDP sockets (`SO_ATTACH_FILTER`). So a flood of other datagrams does not fill
    /// the receive buffer, and costs the server no time. It needs no privilege. Linux only.
    ///
    /// - **A datagram that decodes is never dropped.** Those that would be decode errors may be: then no handler sees
    ///   them, and they do not count as [`decode_errors`](crate::ServerStats::decode_errors). So do not use it if a handler
    ///   answers such datagrams.
    /// - **Its drops count as [`DropReason::Kernel`](crate::DropReason::Kernel)**, together with those of a full buffer: the
    ///   kernel has one counter for both.
    /// - **If any datagram can be a packet, there is no filter**, for example with [`Raw`](crate::Raw). A layer such as
    ///   [`Prefix`](crate::Prefix) or [`shaped`](crate::DatagramProtocol::shaped) changes that.
    ///   [`SocketDiagnostics::kernel_filter`](crate::SocketDiagnostics::kernel_filter) says whether there is one.
    /// - **The kernel no longer merges received datagrams** (GRO) while there is a filter, whatever
    ///   [`segmentation_offload`](crate::Udp::segmentation_offload) says. It would run the filter once for all that are
    ///   merged, so with one invalid datagram a stranger could make it drop those of a peer.
    /// - **Your own socket** gets the filter too, instead of one that it has. It keeps the filter when it is passed to
    ///   another process.
    /// - It has no effect on Unix sockets and networks in memory.
    ///
    /// [The list of checks](crate::_documentation::troubleshooting) shows how to attach a filter of your own.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{DatagramProtocol, Prefix, Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # if !cfg!(target_os = "linux") { return Ok(()) }
    /// let protocol = Text.layer(Prefix::new(*b"QZ\x02"));
    /// let server = Server::builder(protocol, async |text: String| text)
    ///     .kernel_filter(true)
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// assert!(server.handle().diagnostics().sockets()[0].kernel_filter().is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "SO_ATTACH_FILTER")]
    #[doc(alias = "BPF")]
    #[doc(alias = "firewall")]
    pub fn kernel_filter(mut self, kernel_filter: bool) -> Self {
        self.options.kernel_filter = kernel_filter;
        self
    }
}
