//! How a server uses address tokens.

use std::{fmt, net::SocketAddr, time::SystemTime};

use super::{AddressTokens, ValidateAddress};
use crate::panic::{self, Panicked};

/// The tokens of a server, and the place that its protocol has for them.
pub(crate) struct Validation {
    protocol: Box<dyn ValidateAddress + Send + Sync>,
    tokens: AddressTokens,
    /// Whether the protocol is the envelope.
    has_envelope: bool,
}

impl Validation {
    pub(crate) fn new(
        protocol: Box<dyn ValidateAddress + Send + Sync>,
        tokens: AddressTokens,
        has_envelope: bool,
    ) -> Self {
        Self { protocol, tokens, has_envelope }
    }

    /// Whether the datagrams of clients are in envelopes.
    pub(crate) const fn has_envelope(&self) -> bool {
        self.has_envelope
    }

    /// Whether a datagram without a token never opens a conversation.
    pub(crate) const fn is_required(&self) -> bool {
        self.tokens.get_required()
    }

    /// Whether a datagram from `peer` carries a valid token.
    ///
    /// # Errors
    ///
    /// Fails if the user's code panics.
    pub(crate) fn has_valid_token(
        &self,
        datagram: &[u8],
        peer: SocketAddr,
        now: SystemTime,
    ) -> Result<bool, Panicked> {
        let tokens = self.tokens.for_peer(peer, now);
        panic::catch(|| self.protocol.has_valid_token(datagram, &tokens))
    }

    /// The challenge that answers a datagram from `peer`, if there is one that is not longer.
    ///
    /// # Errors
    ///
    /// Fails if the user's code panics.
    pub(crate) fn challenge(
        &self,
        datagram: &[u8],
        peer: SocketAddr,
        now: SystemTime,
    ) -> Result<Option<Vec<u8>>, Panicked> {
        let tokens = self.tokens.for_peer(peer, now);
        panic::catch(|| {
            let mut challenge = Vec::new();
            let is_sent = self.protocol.challenge(datagram, &tokens, &mut challenge);
            (is_sent && challenge.len() <= datagram.len()).then_some(challenge)
        })
    }
}

impl fmt::Debug for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validation").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{
        super::envelope::{Envelope, Reply},
        *,
    };
    use crate::{PeerTokens, TokenSecret};

    /// Answers each datagram with so many bytes.
    struct Answers(usize);

    impl ValidateAddress for Answers {
        fn has_valid_token(&self, datagram: &[u8], _: &PeerTokens<'_>) -> bool {
            datagram == b"valid"
        }

        fn challenge(&self, datagram: &[u8], _: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
            assert_ne!(datagram, b"panic", "it panics");
            challenge.resize(self.0, b'c');
            datagram != b"none"
        }
    }

    fn validation(answer: usize, has_envelope: bool) -> Validation {
        let tokens = AddressTokens::new(TokenSecret::from([7; 16]));
        Validation::new(Box::new(Answers(answer)), tokens.required(has_envelope), has_envelope)
    }

    //
    #[test]
    fn a_challenge_that_is_longer_than_what_it_answers_is_not_sent() {
        let (peer, now) = ("192.0.2.7:5000".parse().unwrap(), UNIX_EPOCH + Duration::from_secs(1));
        let challenge = |datagram: &[u8]| validation(4, false).challenge(datagram, peer, now);

        assert_eq!(challenge(b"five!").unwrap().unwrap(), b"cccc");
        assert_eq!(challenge(b"four").unwrap().unwrap(), b"cccc");
        assert_eq!(challenge(b"not").unwrap(), None);
        assert_eq!(challenge(b"none").unwrap(), None);
        assert!(challenge(b"panic").is_err());
        let is_valid = |datagram| validation(4, false).has_valid_token(datagram, peer, now);
        assert!(is_valid(b"valid").unwrap() && !is_valid(b"other").unwrap());
    }

    //
    #[test]
    fn it_knows_its_options() {
        for option in [false, true] {
            let validation = validation(4, option);
            assert_eq!((validation.has_envelope(), validation.is_required()), (option, option));
            assert!(format!("{validation:?}").contains("tokens: AddressTokens"));
        }
        let tokens = AddressTokens::new(TokenSecret::from([7; 16]));
        let validation = Validation::new(Box::new(Envelope), tokens, true);
        let (peer, now) = ("192.0.2.7:5000".parse().unwrap(), UNIX_EPOCH + Duration::from_secs(1));
        let challenge = validation.challenge(&Envelope::request(None, b""), peer, now);
        let challenge = challenge.unwrap().unwrap();
        let Some(Reply::Challenge(token)) = Reply::read(&challenge) else { panic!("none") };
        let request = Envelope::request(Some(*token), b"");
        assert!(validation.has_valid_token(&request, peer, now).unwrap());
    }
}
