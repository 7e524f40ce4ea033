//! Datagrams in envelopes, as they were sent last.

use tokio::time::Instant;

use crate::token::{Envelope, Sent, TokenJar};

/// A request in its envelope, as it was sent last.
#[derive(Debug)]
pub(super) struct Stamped {
    datagram: Vec<u8>,
    /// `None` before it is sent for the first time.
    sent: Option<Sent>,
    /// Whether it was sent again because of a challenge.
    pub(super) is_challenged: bool,
}

impl Stamped {
    pub(super) fn new(payload: &[u8]) -> Self {
        let mut datagram = Vec::with_capacity(Envelope::REQUEST_HEADER + payload.len());
        Envelope::begin_request(None, &mut datagram);
        datagram.extend_from_slice(payload);
        Self { datagram, sent: None, is_challenged: false }
    }

    /// The datagram with the newest token, for an attempt.
    pub(super) fn stamp(&mut self, jar: &TokenJar) -> Vec<u8> {
        self.sent = Some(jar.stamp(&mut self.datagram));
        self.datagram.clone()
    }

    /// The datagram with the newest token, if it was sent with another one and has to be sent again.
    pub(super) fn stamp_again(&mut self, jar: &TokenJar) -> Option<Vec<u8>> {
        let again = jar.stamp_again(&mut self.datagram, self.sent.as_mut()?);
        self.is_challenged |= again;
        again.then(|| self.datagram.clone())
    }
}

/// The one-way packet that was sent last.
#[derive(Debug)]
pub(super) struct Notification {
    pub(super) id: u64,
    pub(super) stamped: Stamped,
    /// A challenge that comes later is about something else.
    pub(super) until: Instant,
}
