//! Options that protect a server from its peers, and others from the server.

use super::ServerBuilder;
use crate::{AddressTokens, Guard, ValidateAddress};

impl<P> ServerBuilder<P> {
    /// Sets the [guard](Guard), for a server that any host on the internet can reach: `Guard::internet()`. By default there
    /// is none.
    ///
    /// The page of [`Guard`] has an example.
    #[doc(alias = "amplification")]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.options.guard = Some(guard);
        self
    }

    /// Lets the server ask peers for [address tokens](AddressTokens), for which the protocol has a [place](ValidateAddress). By
    /// default it does not.
    ///
    /// A peer that sends a valid token is [validated](crate::Peer::is_validated) from then on, so the [guard](Self::guard)
    /// does not limit it. A datagram without one that would open a conversation is answered with the challenge of the
    /// protocol instead, if tokens are [required](AddressTokens::required), or if peers that are not validated hold more than
    /// a quarter of all [places](crate::Limits::max_conversations). It is not decoded, and counts as
    /// [`DropReason::Unproven`](crate::DropReason::Unproven). A challenge that is longer than its datagram is not sent.
    ///
    /// With [`chunked`](Self::chunked), chunks carry no token: only peers in conversation can send them while tokens are
    /// asked for. Peers on Unix sockets need no tokens.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{
    ///     AddressTokens, BoxError, Client, DatagramProtocol, DecodeError, EncodeError, PeerTokens, Raw,
    ///     Server, Text, TokenSecret, ValidateAddress,
    /// };
    ///
    /// /// Text behind 16 bytes, which are a token in the second datagram of a client.
    /// struct WithToken;
    ///
    /// impl DatagramProtocol for WithToken {
    ///     type Incoming = String;
    ///     type Outgoing = String;
    ///
    ///     fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
    ///         Text.decode(datagram.get(16..).ok_or(DecodeError::codec("no token"))?)
    ///     }
    ///
    ///     fn encode(&self, text: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
    ///         Text.encode(text, datagram)
    ///     }
    /// }
    ///
    /// impl ValidateAddress for WithToken {
    ///     fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
    ///         datagram.get(..16).is_some_and(|token| tokens.is_valid(b"", token))
    ///     }
    ///
    ///     fn challenge(&self, _: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
    ///         challenge.extend_from_slice(&tokens.issue(b""));
    ///         true
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let tokens = AddressTokens::new(TokenSecret::generate()?).required(true);
    /// let server = Server::builder(WithToken, async |text: String| text)
    ///     .address_tokens(tokens)
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// let client = Client::connect(server.local_addr(), Raw).await?;
    /// server.spawn();
    ///
    /// client.send([&[0; 16], &b"hello"[..]].concat()).await?;
    /// let token = client.recv().await?;
    /// client.send([&token, &b"hello"[..]].concat()).await?;
    /// assert_eq!(client.recv().await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("cookie", "challenge", "retry"))]
    pub fn address_tokens(mut self, tokens: AddressTokens) -> Self
    where
        P: ValidateAddress + Send + Sync + 'static,
    {
        self.uses.place = Some(|protocol| Box::new(protocol));
        self.options.address_tokens = Some(tokens);
        self
    }
}
