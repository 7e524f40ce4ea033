//! Connects a blocking client.

use super::{endpoint::Client, link::Link};
use crate::{
    ClientBuilder, Connect, ConnectError, DatagramProtocol,
    blocking::block_on::{block_on, is_inside_runtime},
    client::connect::connect,
    transport::Resolver,
};

impl<P: DatagramProtocol> Client<P> {
    /// Connects to a peer: to its address, or over another [transport](Connect). `protocol` encodes what this
    /// client sends and decodes what it receives.
    ///
    /// Connecting sends nothing, so it succeeds even if no program runs at the address. It blocks while the
    /// system resolves a name. Be careful with `"localhost:9000"`, which often means `::1` first; see
    /// [`datagrammar::Client::connect`](crate::Client::connect).
    ///
    /// # Errors
    ///
    /// The same as [`ClientBuilder::connect_blocking`].
    pub fn connect(transport: impl Connect, protocol: P) -> Result<Self, ConnectError> {
        Self::builder(protocol).connect_blocking(transport)
    }

    /// Returns a builder, to set options before the client is connected. It is the builder of
    /// [`datagrammar::Client`](crate::Client); finish it with
    /// [`connect_blocking`](ClientBuilder::connect_blocking).
    pub const fn builder(protocol: P) -> ClientBuilder<P> {
        crate::Client::builder(protocol)
    }
}

impl<P: DatagramProtocol> ClientBuilder<P> {
    /// Connects a [blocking client](Client) to a peer: to its address, or over another [transport](Connect).
    /// It is [`connect`](Self::connect) for programs without async.
    ///
    /// The client sends and receives one datagram with each system call, so
    /// [`batch_io`](crate::Udp::batch_io) and [`segmentation_offload`](crate::Udp::segmentation_offload) have
    /// no effect.
    ///
    /// # Errors
    ///
    /// - The errors of [`connect`](Self::connect).
    /// - [`ConnectError::Io`] also if the kernel merges the datagrams that your own socket receives
    ///   (`UDP_GRO`). Its kind is [`Unsupported`](std::io::ErrorKind::Unsupported) for a network in memory,
    ///   which needs the clock of a runtime.
    /// - [`ConnectError::InsideRuntime`] inside an async runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, Udp, blocking};
    ///
    /// # fn main() -> Result<(), datagrammar::ConnectError> {
    /// let peer = Udp::new("127.0.0.1:9000").local_addr("127.0.0.1:0").ttl(4);
    /// let client = blocking::Client::builder(Text).max_datagram_size(1_200).connect_blocking(peer)?;
    /// assert!(client.local_addr().ip().is_some_and(|ip| ip.is_loopback()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_blocking(self, transport: impl Connect) -> Result<Client<P>, ConnectError> {
        if is_inside_runtime() {
            return Err(ConnectError::InsideRuntime);
        }
        let connected = block_on(connect(transport.destination(), Resolver::ThisThread))?;
        let (protocol, max_datagram_size, has_envelope) = self.into_parts();
        let link = connected.finish(Link::new)?;
        Ok(Client::new(link, protocol, max_datagram_size, has_envelope))
    }
}
