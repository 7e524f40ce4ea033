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
