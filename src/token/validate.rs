//! The trait of protocols that have a place for a token.

use std::sync::Arc;

use super::peer::PeerTokens;

/// A protocol whose datagrams have a place for an address token.
///
/// A server asks it about datagrams of peers whose addresses are not validated, before it decodes them and before it keeps
/// anything for their sender. Cookies of DNS, the Echo option of CoAP and the connection ids of BitTorrent trackers are such
/// places.
///
/// # Rules
///
/// - **The whole datagram.** Both methods get and make whole datagrams, as they are on the wire. A protocol can be wrapped by
///   layers, or be one half of a [`Split`](crate::Split). So implement this trait for the protocol that the server gets, the
///   outermost one, and not for one inside. [`Layered`](crate::Layered), [`Convert`](crate::Convert), [`Split`](crate::Split)
///   and the other wrappers do not implement it: they cannot know where the token is in what their layer has made of a
///   datagram. Put your protocol around them, in a type of your own.
/// - **No state, no panic.** As for [`DatagramProtocol`](crate::DatagramProtocol): a datagram may be any bytes.
/// - **Cheap.** Both methods run for each datagram of a flood. Look at the token before anything else, and do not inflate or
///   decode.
/// - **A challenge is not longer than the datagram that it answers.** Otherwise forged requests make a server send more than
///   their sender. A server does not send a longer one.
/// - **A challenge is not answered with a challenge.** If clients and servers of the protocol have the same format, do not
///   challenge what a server sends; otherwise two servers can be made to challenge each other without end.
///
/// # Examples
///
/// Requests begin with a cookie, which is zero at first. A response begins with `=`, or it is a `?` and the cookie to send:
///
/// ```
/// use datagrammar::{
///     AddressTokens, DatagramProtocol, DecodeError, EncodeError, PeerTokens, Text, TokenSecret, ValidateAddress,
/// };
///
/// #[derive(Clone, Copy, Debug)]
/// struct Cookie;
///
/// impl DatagramProtocol for Cookie {
///     type Incoming = String;
///     type Outgoing = String;
///
///     fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
///         let Some((_cookie, text)) = datagram.split_first_chunk::<16>() else {
///             return Err(DecodeError::codec("datagram is shorter than a cookie"));
///         };
///         Text.decode(text)
///     }
///
///     fn encode(&self, text: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
///         datagram.push(b'=');
///         Text.encode(text, datagram)
///     }
/// }
///
/// impl ValidateAddress for Cookie {
///     fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
///         let cookie = datagram.first_chunk::<16>();
///         cookie.is_some_and(|cookie| tokens.is_valid(b"", cookie))
///     }
///
///     fn challenge(&self, datagram: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
///         // A request has a byte of text at least, so a challenge is not longer.
///         let is_request = datagram.len() > 16;
///         if is_request {
///             challenge.push(b'?');
///             challenge.extend_from_slice(&tokens.issue(b""));
///         }
///         is_request
///     }
/// }
///
/// # use std::time::SystemTime;
/// let tokens = AddressTokens::new(TokenSecret::generate()?);
/// let peer = tokens.for_peer("192.0.2.7:5000".parse()?, SystemTime::now());
/// let mut request = [&[0; 16][..], b"time?"].concat();
/// assert!(!Cookie.has_valid_token(&request, &peer));
///
/// let mut challenge = Vec::new();
/// assert!(Cookie.challenge(&request, &peer, &mut challenge) && challenge.len() <= request.len());
///
/// request[..16].copy_from_slice(&challenge[1..]);
/// assert!(Cookie.has_valid_token(&request, &peer));
/// assert_eq!(Cookie.decode(&request)?, "time?");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("cookie", "retry", "echo", "address validation"))]
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no place for an address token",
    note = "implement `ValidateAddress` for the outermost protocol: wrappers such as `Layered` do not forward it"
)]
pub trait ValidateAddress {
    /// Returns whether `datagram` carries a token that is valid for its sender.
    fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool;

    /// Appends the datagram that gives the sender of `datagram` a token. Returns false if none is to be sent, for example
    /// because `datagram` is no request, or too short.
    ///
    /// After false, the caller discards what was appended.
    fn challenge(&self, datagram: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool;
}

macro_rules! forward {
    ($($Pointer:ty),*) => {$(
        impl<P: ValidateAddress + ?Sized> ValidateAddress for $Pointer {
            fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
                (**self).has_valid_token(datagram, tokens)
            }

            fn challenge(
                &self,
                datagram: &[u8],
                tokens: &PeerTokens<'_>,
                challenge: &mut Vec<u8>,
            ) -> bool {
                (**self).challenge(datagram, tokens, challenge)
            }
        }
    )*};
}

forward!(&P, Box<P>, Arc<P>);

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{AddressTokens, TokenSecret, token::envelope::Envelope};

    // A-35
    #[test]
    fn pointers_to_a_protocol_answer_as_it_does() {
        let tokens = AddressTokens::new(TokenSecret::from([7; 16]));
        let peer = tokens.for_peer("192.0.2.7:5000".parse().unwrap(), UNIX_EPOCH);
        let mut asking = Vec::new();
        Envelope::begin_request(None, &mut asking);
        let mut proven = Vec::new();
        Envelope::begin_request(Some(peer.issue(b"")), &mut proven);
        let answers = |protocol: &dyn ValidateAddress| {
            [&asking[..], &proven, b"other"].map(|datagram| {
                let mut challenge = b"before".to_vec();
                let is_sent = protocol.challenge(datagram, &peer, &mut challenge);
                (protocol.has_valid_token(datagram, &peer), is_sent, challenge)
            })
        };

        let expected = answers(&Envelope);
        assert_eq!(
            expected.each_ref().map(|answer| (answer.0, answer.1)),
            [(false, true), (true, true), (false, false)]
        );
        let boxed: Box<dyn ValidateAddress> = Box::new(Envelope);
        let shared: Arc<dyn ValidateAddress> = Arc::new(Envelope);
        assert_eq!(answers(&&Envelope), expected);
        assert_eq!(answers(&Box::new(Envelope)), expected);
        assert_eq!(answers(&boxed), expected);
        assert_eq!(answers(&Arc::new(Envelope)), expected);
        assert_eq!(answers(&shared), expected);
    }
}
