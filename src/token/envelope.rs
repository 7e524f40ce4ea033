//! An envelope with a token around the datagrams of a protocol that has no place for one.
//!
//! # Format
//!
//! From a client to a server, 17 bytes in front of the payload:
//!
//! | byte | content |
//! | --- | --- |
//! | 0 | `10`: a request |
//! | 1 to 16 | the token that the client has received last; zeros if it has none |
//! | 17 to the end | the payload, which may be empty |
//!
//! From a server to a client, 1 byte in front of the payload, or a challenge, which is never longer than a request:
//!
//! | byte | content |
//! | --- | --- |
//! | 0 | `11`: a reply |
//! | 1 to the end | the payload, which may be empty |
//!
//! | byte | content |
//! | --- | --- |
//! | 0 | `12`: a challenge |
//! | 1 to 16 | a token, not zeros |
//!
//! For example, a request with the payload `"hi"` and no token, its challenge, the request again, and a reply:
//!
//! ```text
//! 10 00000000000000000000000000000000 6869
//! 12 010000005cf79f113f5bea908ce0f904
//! 10 010000005cf79f113f5bea908ce0f904 6869
//! 11 6869
//! ```
//!
//! # Nesting
//!
//! The envelope is the outermost part of a datagram: around [chunks](crate::Chunked), tags and layers. A server must be able
//! to check the token before it keeps a chunk or opens a seal. So each chunk, and each list of chunks that are missing, has an
//! envelope. The kinds are not those of chunks and of tagged packets (0 to 3). So if only one side has the
//! envelope, its datagrams are refused, and nothing is taken for something else. Requests and replies have different kinds:
//! a server never answers what a server sends, so two servers cannot be made to answer each other.

use super::{peer::PeerTokens, validate::ValidateAddress};
use crate::{DecodeError, SendError};

/// The envelope, as the outermost protocol of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope;

const REQUEST: u8 = 0x10;
const REPLY: u8 = 0x11;
const CHALLENGE: u8 = 0x12;

/// A token that is none.
const NONE: [u8; 16] = [0; 16];

/// A datagram from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// What the client sends as its token; `None` if it has none.
    pub(crate) token: Option<&'a [u8; 16]>,
    pub(crate) payload: &'a [u8],
}

/// A datagram from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    Payload(&'a [u8]),
    /// The server asks for the request again, with this token.
    Challenge(&'a [u8; 16]),
}

impl Envelope {
    /// How many bytes of a request come before its payload.
    pub(crate) const REQUEST_HEADER: usize = 1 + NONE.len();

    /// The same of a reply.
    pub(crate) const REPLY_HEADER: usize = 1;

    /// How many bytes a challenge has.
    pub(crate) const CHALLENGE: usize = 1 + NONE.len();

    /// The error of a client whose request is too long with its envelope. It has the lengths without.
    pub(crate) const fn too_large(len: usize, max: usize) -> SendError {
        let header = Self::REQUEST_HEADER;
        SendError::TooLarge { len: len.saturating_sub(header), max: max.saturating_sub(header) }
    }

    /// Whether a datagram that a client has received is a challenge.
    #[cfg(feature = "blocking")]
    pub(crate) fn is_challenge(datagram: &[u8]) -> bool {
        matches!(Reply::read(datagram), Some(Reply::Challenge(_)))
    }

    /// The payload of a datagram that a client has received, if it is a reply.
    pub(crate) fn payload(datagram: &[u8]) -> Option<&[u8]> {
        match Reply::read(datagram)? {
            Reply::Payload(payload) => Some(payload),
            Reply::Challenge(_) => None,
        }
    }

    /// The error of a client that receives a datagram in no envelope.
    pub(crate) fn missing() -> DecodeError {
        DecodeError::layer("not in an envelope of address tokens")
    }

    /// Whether a datagram that a server has received is a request.
    pub(crate) fn is_request(datagram: &[u8]) -> bool {
        Request::read(datagram).is_some()
    }

    /// Appends what comes before the payload of a request.
    pub(crate) fn begin_request(token: Option<[u8; 16]>, datagram: &mut Vec<u8>) {
        datagram.push(REQUEST);
        datagram.extend_from_slice(&token.unwrap_or(NONE));
    }

    /// A request with this payload.
    pub(crate) fn request(token: Option<[u8; 16]>, payload: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(Self::REQUEST_HEADER + payload.len());
        Self::begin_request(token, &mut datagram);
        datagram.extend_from_slice(payload);
        datagram
    }

    /// Appends what comes before the payload of a reply.
    pub(crate) fn begin_reply(datagram: &mut Vec<u8>) {
        datagram.push(REPLY);
    }

    /// A reply with this payload.
    pub(crate) fn reply(payload: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(Self::REPLY_HEADER + payload.len());
        Self::begin_reply(&mut datagram);
        datagram.extend_from_slice(payload);
        datagram
    }

    /// The place of the token in a request; `None` if the datagram is no request.
    pub(crate) fn token_mut(datagram: &mut [u8]) -> Option<&mut [u8; 16]> {
        match datagram {
            [REQUEST, rest @ ..] => rest.first_chunk_mut(),
            _ => None,
        }
    }
}

impl<'a> Request<'a> {
    /// Reads a datagram that a server has received. Returns `None` if it is no request.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Self> {
        let [REQUEST, rest @ ..] = datagram else { return None };
        let (token, payload) = rest.split_first_chunk()?;
        Some(Self { token: (*token != NONE).then_some(token), payload })
    }
}

impl<'a> Reply<'a> {
    /// Reads a datagram that a client has received. Returns `None` if it is neither a reply nor a challenge.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Self> {
        match datagram {
            [REPLY, payload @ ..] => Some(Self::Payload(payload)),
            [CHALLENGE, token @ ..] => {
                let token = <&[u8; 16]>::try_from(token).ok()?;
                (*token != NONE).then_some(Self::Challenge(token))
            }
            _ => None,
        }
    }
}

impl ValidateAddress for Envelope {
    fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
        let token = Request::read(datagram).and_then(|request| request.token);
        token.is_some_and(|token| tokens.is_valid(b"", token))
    }

    fn challenge(&self, datagram: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
        let is_request = Self::is_request(datagram);
        if is_request {
            challenge.push(CHALLENGE);
            challenge.extend_from_slice(&tokens.issue(b""));
        }
        is_request
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::{AddressTokens, TokenSecret};

    /// The token of the first example of `AddressTokens`.
    const TOKEN: [u8; 16] = 0x0100_0000_5cf7_9f11_3f5b_ea90_8ce0_f904_u128.to_be_bytes();

    fn tokens() -> AddressTokens {
        AddressTokens::new(TokenSecret::from(std::array::from_fn(|n| n as u8)))
    }

    fn peer(tokens: &AddressTokens) -> PeerTokens<'_> {
        let now = UNIX_EPOCH + Duration::from_secs(0x5cf7_9f11);
        tokens.for_peer("192.0.2.7:5000".parse().unwrap(), now)
    }

    // A-36: the vectors of this page
    #[test]
    fn envelopes_have_the_documented_format() {
        let tokens = tokens();
        let mut request = Vec::new();
        Envelope::begin_request(None, &mut request);
        request.extend_from_slice(b"hi");
        assert_eq!(request, [&[0x10][..], &[0; 16], b"hi"].concat());
        assert_eq!(Request::read(&request), Some(Request { token: None, payload: b"hi" }));

        let mut challenge = Vec::new();
        assert!(Envelope.challenge(&request, &peer(&tokens), &mut challenge));
        assert_eq!(challenge, [&[0x12][..], &TOKEN].concat());
        assert_eq!(Reply::read(&challenge), Some(Reply::Challenge(&TOKEN)));

        let mut again = Vec::new();
        Envelope::begin_request(Some(TOKEN), &mut again);
        again.extend_from_slice(b"hi");
        assert_eq!(again, [&[0x10][..], &TOKEN, b"hi"].concat());
        assert_eq!(Request::read(&again), Some(Request { token: Some(&TOKEN), payload: b"hi" }));
        assert!(Envelope.has_valid_token(&again, &peer(&tokens)));
        assert!(!Envelope.has_valid_token(&request, &peer(&tokens)));

        let mut reply = Vec::new();
        Envelope::begin_reply(&mut reply);
        reply.extend_from_slice(b"hi");
        assert_eq!(reply, b"\x11hi");
        assert_eq!(Reply::read(&reply), Some(Reply::Payload(b"hi")));
        assert_eq!(reply, Envelope::reply(b"hi"));
        assert_eq!(again, Envelope::request(Some(TOKEN), b"hi"));

        let payloads = [&reply, &challenge, &again].map(|datagram| Envelope::payload(datagram));
        assert_eq!(payloads, [Some(&b"hi"[..]), None, None]);
        #[cfg(feature = "blocking")]
        assert_eq!(
            [&reply, &challenge, &again].map(|datagram| Envelope::is_challenge(datagram)),
            [false, true, false]
        );
    }

    // A-36
    #[test]
    fn a_challenge_is_not_longer_than_any_request() {
        let mut shortest = Vec::new();
        Envelope::begin_request(None, &mut shortest);
        let mut challenge = Vec::new();

        assert!(Envelope.challenge(&shortest, &peer(&tokens()), &mut challenge));
        assert_eq!((challenge.len(), shortest.len()), (17, Envelope::REQUEST_HEADER));
        assert_eq!(challenge.len(), Envelope::CHALLENGE);
    }

    // A-36
    #[test]
    fn what_is_no_request_is_not_challenged() {
        let request = [&[REQUEST][..], &TOKEN].concat();
        let challenge = [&[CHALLENGE][..], &TOKEN].concat();
        let reply = [&[REPLY][..], &[7; 50]].concat();
        let others = (0..=u8::MAX).filter(|kind| *kind != REQUEST).map(|kind| vec![kind; 40]);
        let shorter = (0..17).map(|len| request[..len].to_vec());

        for datagram in others.chain(shorter).chain([challenge, reply]) {
            let mut written = Vec::new();
            assert_eq!(Request::read(&datagram), None, "{datagram:?}");
            assert!(!Envelope.challenge(&datagram, &peer(&tokens()), &mut written));
            assert!(!Envelope.has_valid_token(&datagram, &peer(&tokens())));
            assert!(written.is_empty());
        }
    }

    // A-36
    #[test]
    fn what_is_neither_reply_nor_challenge_is_refused() {
        let challenge = [&[CHALLENGE][..], &TOKEN].concat();
        let others = (0..=u8::MAX)
            .filter(|kind| ![REPLY, CHALLENGE].contains(kind))
            .map(|kind| vec![kind; 17]);
        let shorter = (0..17).map(|len| challenge[..len].to_vec());
        let longer = [&challenge[..], &[0]].concat();
        let zeros = [&[CHALLENGE][..], &[0; 16]].concat();

        for datagram in others.chain(shorter).chain([longer, zeros]) {
            assert_eq!(Reply::read(&datagram), None, "{datagram:?}");
        }
        assert_eq!(Reply::read(&[REPLY]), Some(Reply::Payload(b"")));
    }

    // A-36
    #[test]
    fn the_kinds_are_not_those_of_chunks() {
        for kind in [REQUEST, REPLY, CHALLENGE] {
            assert!(kind != 0 && !crate::chunk::is_part(&[kind]));
        }
    }
}
