//! The options of a client, before it is connected.

use super::{connect::connect, endpoint::Client};
use crate::{Connect, ConnectError, DatagramProtocol, transport::LONGEST};

/// Sets a [`Client`] up. Everything has a default.
///
/// The options of its socket are those of the transport that it is connected over, such as
/// [`Udp`](crate::Udp).
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let peer = Udp::new("127.0.0.1:9000").local_addr("127.0.0.1:0").ttl(4);
/// let client = Client::builder(Text).max_datagram_size(1_200).connect(peer).await?;
/// assert!(client.local_addr().ip().is_some_and(|ip| ip.is_loopback()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a client is made by `connect`"]
pub struct ClientBuilder<P> {
    protocol: P,
    max_datagram_size: usize,
}

impl<P: DatagramProtocol> Client<P> {
    /// Connects to the peer at an address, or over another [transport](Connect); the peer speaks `protocol`.
    ///
    /// Of several addresses, or those of a name, the first that works is used. Connecting sends nothing, so it
    /// also succeeds if the peer is not there.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left over.
    pub async fn connect(transport: impl Connect, protocol: P) -> Result<Self, ConnectError> {
        Self::builder(protocol).connect(transport).await
    }

    /// Begins a client with options.
    pub const fn builder(protocol: P) -> ClientBuilder<P> {
        ClientBuilder::new(protocol)
    }
}

impl<P: DatagramProtocol> ClientBuilder<P> {
    pub(super) const fn new(protocol: P) -> Self {
        Self { protocol, max_datagram_size: LONGEST }
    }

    /// Sets the length of the longest datagram that is received, in bytes. A longer one is a
    /// [`ClientRecvError::TooLarge`](crate::ClientRecvError::TooLarge). The default is 65,535, more than UDP
    /// can carry. The client allocates memory for this size.
    pub fn max_datagram_size(mut self, bytes: usize) -> Self {
        // A limit that nothing can reach is none, and costs no memory.
        self.max_datagram_size = bytes.min(LONGEST);
        self
    }

    /// Connects to the peer at an address, or over another [transport](Connect).
    ///
    /// Of several addresses, or those of a name, the first that works is used. Connecting sends nothing, so it
    /// also succeeds if the peer is not there. Addresses of another family than the
    /// [local one](crate::Udp::local_addr) are skipped; an IPv4-mapped address counts as the IPv4 address.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Addrs`] if no address works, naming each with what is wrong with it.
    /// [`ConnectError::Option`] names an option that cannot be set; its kind is
    /// [`Unsupported`](std::io::ErrorKind::Unsupported) for one that this system does not have.
    /// [`ConnectError::Io`] if a socket of yours is not connected
    /// ([`NotConnected`](std::io::ErrorKind::NotConnected)) or not a UDP socket; it is closed then.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left over.
    pub async fn connect(self, transport: impl Connect) -> Result<Client<P>, ConnectError> {
        let source = transport.destination();
        let link = connect(source).await?;
        Ok(Client::new(link, self.protocol, self.max_datagram_size))
    }
}
