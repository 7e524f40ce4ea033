//! Datagrams in envelopes, as a client has sent them last.

use super::{
    envelope::Envelope,
    jar::{Sent, TokenJar},
};

/// A datagram in its envelope, as it was sent last.
#[derive(Debug, Default)]
pub(crate) struct Stamped {
    datagram: Vec<u8>,
    /// `None` before it is sent for the first time.
    sent: Option<Sent>,
    /// Whether it was sent again because of a challenge.
    pub(crate) is_challenged: bool,
}

impl Stamped {
    pub(crate) fn new(payload: &[u8]) -> Self {
        Self { datagram: Envelope::request(None, payload), ..Self::default() }
    }

    /// The envelope with the newest token around each part of a request that is not one datagram. They count as sent.
    pub(crate) fn stamp_parts(&mut self, parts: &[Vec<u8>], jar: &TokenJar) -> Vec<Vec<u8>> {
        self.sent = Some(jar.stamp(&mut self.datagram));
        self.parts(parts)
    }

    /// The envelope with the same token as what was sent last, around each part.
    pub(crate) fn parts(&self, parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let token = self.sent.as_ref().and_then(Sent::token);
        parts.iter().map(|part| Envelope::request(token, part)).collect()
    }

    /// The datagram with the newest token, for an attempt.
    pub(crate) fn stamp(&mut self, jar: &TokenJar) -> Vec<u8> {
        self.sent = Some(jar.stamp(&mut self.datagram));
        self.datagram.clone()
    }

    /// Remembers a datagram instead, which was sent in its envelope.
    pub(crate) fn replace(&mut self, datagram: &[u8], sent: Sent) {
        self.datagram.clear();
        self.datagram.extend_from_slice(datagram);
        (self.sent, self.is_challenged) = (Some(sent), false);
    }

    /// The datagram with the newest token, if it was sent with another one and has to be sent again.
    pub(crate) fn stamp_again(&mut self, jar: &TokenJar) -> Option<&[u8]> {
        let again = jar.stamp_again(&mut self.datagram, self.sent.as_mut()?);
        self.is_challenged |= again;
        again.then_some(&self.datagram)
    }
}
