//! Options that protect a server from its peers, and others from the server.

use super::ServerBuilder;
use crate::{AddressTokens, Guard, ValidateAddress, token::Envelope};

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
    /// asked for. With the [envelope](Self::address_token_envelope) they carry one. Peers on Unix sockets need no tokens.
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
    /// client.send(&[&[0; 16], &b"hello"[..]].concat().into()).await?;
    /// let token = client.recv().await?;
    /// client.send(&[&token, &b"hello"[..]].concat().into()).await?;
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
        self.options.has_envelope = false;
        self
    }

    /// Lets the server ask peers for [address tokens](AddressTokens), for a protocol that has no [place](ValidateAddress) for
    /// them: each datagram is in an envelope. Its clients must have the same option:
    /// [`RequestClientBuilder::address_token_envelope`](crate::RequestClientBuilder::address_token_envelope) or
    /// [`ClientBuilder::address_token_envelope`](crate::ClientBuilder::address_token_envelope). It replaces
    /// [`address_tokens`](Self::address_tokens), which says what the tokens are for; of both, the last call counts.
    ///
    /// The envelope takes 17 bytes of each datagram of a client, and 1 byte of each datagram of the server. They count for
    /// [`max_datagram_size`](crate::Limits::max_datagram_size). A datagram of a client that is not in an envelope is dropped,
    /// and counts as [`DropReason::NoEnvelope`](crate::DropReason::NoEnvelope). Neither the protocol nor a
    /// [reply cache](Self::reply_cache) nor a [reply store](Self::reply_store) sees the token of a request. So a repetition
    /// with another token is the same request.
    ///
    /// With [`chunked`](Self::chunked), each chunk is in an envelope of its own, and is dropped without a valid token like any
    /// other datagram: nothing is kept for its sender. Over Unix sockets, there are envelopes too, and no tokens are asked for.
    ///
    /// # Format
    ///
    /// | datagram | byte 0 | bytes 1 to 16 | the rest |
    /// | --- | --- | --- | --- |
    /// | request | `10` | the token that the client has received last; zeros if it has none | the datagram of the protocol |
    /// | reply | `11` | | from byte 1: the datagram of the protocol |
    /// | challenge | `12` | a token, not zeros | |
    ///
    /// A client that gets a challenge sends its request again at once, with the token. For example, with the payload `"hi"`
    /// and the secret and time of the [example](AddressTokens#format) of tokens:
    ///
    /// ```text
    /// 10 00000000000000000000000000000000 6869
    /// 12 010000005cf79f113f5bea908ce0f904
    /// 10 010000005cf79f113f5bea908ce0f904 6869
    /// 11 6869
    /// ```
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{
    ///     AddressTokens, BoxError, RequestClient, Server, Tagged, TaggedServer, Text, TokenSecret, tagged,
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let tokens = AddressTokens::new(TokenSecret::generate()?).required(true);
    /// let shout = tagged(async |text: String| text.to_uppercase());
    /// let server = Server::builder(TaggedServer::new(Text), shout)
    ///     .address_token_envelope(tokens)
    ///     .bind("127.0.0.1:0")
    ///     .await?;
    /// let client = RequestClient::builder(Tagged::new(Text))
    ///     .address_token_envelope(true)
    ///     .connect(server.local_addr())
    ///     .await?;
    /// let handle = server.handle();
    /// server.spawn();
    ///
    /// assert_eq!(client.request("hello".to_owned()).await?, "HELLO");
    /// assert_eq!(client.request("again".to_owned()).await?, "AGAIN");
    /// // The first request was challenged, and the second one had a token.
    /// assert_eq!((client.stats().challenges, client.stats().retries), (1, 0));
    /// assert_eq!(handle.stats().challenges, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("cookie", "challenge", "retry", "wrapper"))]
    pub fn address_token_envelope(mut self, tokens: AddressTokens) -> Self {
        self.uses.place = Some(|_| Box::new(Envelope));
        self.options.address_tokens = Some(tokens);
        self.options.has_envelope = true;
        self
    }
}
