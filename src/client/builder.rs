//! The options of a client, before it is connected.

use super::{connect::connect, endpoint::Client, link::Link};
use crate::{
    Connect, ConnectError, DatagramProtocol,
    transport::{LONGEST, Resolver},
};

/// The options of a [`Client`] that is not connected yet; made by [`Client::builder`]. Every option has a
/// default.
///
/// Options of the socket, such as buffer sizes and the local address, are set on the transport that is given
/// to [`connect`](Self::connect): see [`Udp`](crate::Udp).
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
    has_envelope: bool,
}

impl<P: DatagramProtocol> Client<P> {
    /// Connects to a peer: to its address, or over another [transport](Connect). `protocol` encodes what this
    /// client sends and decodes what it receives.
    ///
    /// Connecting sends nothing, so it succeeds even if no program runs at the address. If there are several
    /// addresses, or a name has several, the client uses the first to which the kernel can connect a socket. For
    /// a Unix socket, a server must be bound to the path, and the kernel checks the permissions.
    ///
    /// So be careful with `"localhost:9000"`. On many hosts that name means `::1` first, and then the client
    /// never reaches a server that is bound to `127.0.0.1` or `0.0.0.0`. Bind the server to `[::]`, which
    /// serves IPv4 too, or connect to the numeric address, such as `127.0.0.1:9000`.
    ///
    /// # Errors
    ///
    /// The same as [`ClientBuilder::connect`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no socket stays open.
    pub async fn connect(transport: impl Connect, protocol: P) -> Result<Self, ConnectError> {
        Self::builder(protocol).connect(transport).await
    }

    /// Returns a builder, to set options before the client is connected.
    pub const fn builder(protocol: P) -> ClientBuilder<P> {
        ClientBuilder::new(protocol)
    }
}

impl<P: DatagramProtocol> ClientBuilder<P> {
    pub(super) const fn new(protocol: P) -> Self {
        Self { protocol, max_datagram_size: LONGEST, has_envelope: false }
    }

    /// Sets the length of the longest datagram that the client receives, in bytes. A longer datagram is the
    /// error [`ClientRecvError::TooLarge`](crate::ClientRecvError::TooLarge). The default is 65,535, more
    /// than UDP can carry; larger values have an effect over Unix sockets only, up to 4 MiB. The client allocates
    /// memory according to this size.
    pub fn max_datagram_size(mut self, bytes: usize) -> Self {
        self.max_datagram_size = bytes;
        self
    }

    /// Sets whether datagrams are in the [envelope](crate::ServerBuilder::address_token_envelope) of address tokens. The
    /// default is false. The server must have the same option, since it changes the format of all datagrams. It is the same
    /// option for [blocking clients](crate::blocking::Client).
    ///
    /// The client sends the token of its server with each datagram. When the server asks for a token with a challenge, the
    /// client sends the datagram again that it has sent last, with the new token. No method returns the challenge; it counts as
    /// [`ClientStats::challenges`](crate::ClientStats::challenges).
    ///
    /// - **What is lost.** A server that asks for a token drops what comes without one. Only the last datagram is sent again,
    ///   and only within 30 s. Those that were sent shortly before it are lost, because a client does not know which packets are
    ///   answered. So if the first packets matter, wait for the answer to the first one, or use
    ///   [`exchange`](Client::exchange), which repeats its packet. A token expires, after 30 s by default, and then the same
    ///   happens again. If the datagram that was sent last was one of several, the server may also receive it twice.
    /// - **When.** The client looks for challenges when it receives, and when it sends. A challenge waits behind packets that
    ///   have arrived before it. So a program that only sends needs to receive only if the server sends packets.
    /// - **Forged challenges.** Anybody who can send datagrams with the address of the server, and knows the port of the client,
    ///   can forge one. It costs a round trip. However many arrive, a datagram is sent again at most twice.
    /// - **Exchanges.** A challenge is no attempt of an [`exchange`](Client::exchange), moves no timer, and gives no sample of
    ///   the round-trip time.
    /// - **Lengths.** The envelope takes 17 bytes of each datagram that the client sends, and 1 byte of those that it receives.
    ///   These count for [`max_datagram_size`](Self::max_datagram_size); with the envelope, less than 17 counts as 17.
    ///   A datagram that is not in an envelope is the error [`ClientRecvError::Decode`](crate::ClientRecvError::Decode).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{AddressTokens, BoxError, Client, Server, Text, TokenSecret};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let tokens = AddressTokens::new(TokenSecret::generate()?).required(true);
    /// let server = Server::builder(Text, async |text: String| text.to_uppercase())
    ///     .address_token_envelope(tokens)
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// let client = Client::builder(Text)
    ///     .address_token_envelope(true)
    ///     .connect(server.local_addr())
    ///     .await?;
    /// server.spawn();
    ///
    /// client.send("hello".to_owned()).await?;
    /// assert_eq!(client.recv().await?, "HELLO");
    /// assert_eq!((client.stats().challenges, client.stats().sent), (1, 2));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("cookie", "challenge"))]
    pub fn address_token_envelope(mut self, has_envelope: bool) -> Self {
        self.has_envelope = has_envelope;
        self
    }

    /// Connects to a peer: to its address, or over another [transport](Connect).
    ///
    /// Connecting sends nothing, so it succeeds even if no program runs at the address. If there are several
    /// addresses, or a name has several, the client uses the first to which the kernel can connect a socket; see
    /// [`Client::connect`] about `localhost` and Unix sockets. Addresses of another family than the
    /// [local address](crate::Udp::local_addr) are skipped. An IPv4-mapped address counts as the IPv4 address.
    ///
    /// # Errors
    ///
    /// - [`ConnectError::Addrs`] if the client can use none of the addresses. It names each, and the reason.
    /// - [`ConnectError::Option`] names an option that cannot be set. Its kind is
    ///   [`Unsupported`](std::io::ErrorKind::Unsupported) if this system does not have the option.
    /// - [`ConnectError::Io`] if your own socket is not connected
    ///   ([`NotConnected`](std::io::ErrorKind::NotConnected)), is not a UDP or Unix datagram socket, or is a Unix
    ///   socket without a name. That socket is closed then.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no socket stays open.
    pub async fn connect(self, transport: impl Connect) -> Result<Client<P>, ConnectError> {
        let source = transport.destination();
        let link = connect(source, Resolver::Runtime).await?.finish(Link::new)?;
        let Self { protocol, max_datagram_size, has_envelope } = self;
        Ok(Client::new(link, protocol, max_datagram_size, has_envelope))
    }

    /// The protocol, the length of the longest datagram that the client receives, in bytes, and whether datagrams are in
    /// envelopes.
    #[cfg(feature = "blocking")]
    pub(crate) fn into_parts(self) -> (P, usize, bool) {
        (self.protocol, self.max_datagram_size, self.has_envelope)
    }
}
