//! Envelopes of a blocking client: what it puts into them, and what challenges lead to.

use std::io;

use tokio::time::Instant;

use super::{
    link::{Link, Received},
    shared::{RecvDetails, Shared},
};
use crate::{
    ClientSendError, DatagramProtocol, DecodeError, SendError,
    client_envelope::{ClientEnvelope, MOST_CHALLENGES},
    lock::locked,
    stats::add,
    token::Envelope,
    transport::Scratch,
};

impl<P: DatagramProtocol> Shared<P> {
    /// Encodes a packet, in its envelope if there are envelopes.
    pub(super) fn encode(
        &self,
        link: &Link,
        packet: &P::Outgoing,
    ) -> Result<Scratch, ClientSendError> {
        let encoded = Scratch::encode(link.max_len(), |datagram| {
            if let Some(envelope) = &self.envelope {
                envelope.begin(datagram);
            }
            self.protocol.encode(packet, datagram)
        });
        encoded.map_err(|error| {
            ClientSendError::of_encoding(match (error, &self.envelope) {
                (SendError::TooLarge { len, max }, Some(_)) => Envelope::too_large(len, max),
                (error, _) => error,
            })
        })
    }
}

impl<P> Shared<P> {
    /// Sends a datagram with `try_send`, with the newest token if there are envelopes.
    pub(super) fn stamp_and_send(
        &self,
        datagram: &mut [u8],
        try_send: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match &self.envelope {
            Some(envelope) => envelope.send(datagram, Instant::now(), try_send),
            None => try_send(datagram),
        }
    }

    /// Takes a datagram out of its envelope, if there are envelopes.
    pub(super) fn open<'a>(&self, datagram: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        match self.envelope {
            Some(_) => Envelope::payload(datagram).ok_or_else(Envelope::missing),
            None => Ok(datagram),
        }
    }

    /// Takes a datagram that has arrived, after the challenges before it.
    pub(super) fn take(
        &self,
        link: &Link,
        buffer: &mut [u8],
        details: &mut RecvDetails,
    ) -> io::Result<Received> {
        if self.envelope.is_none() {
            return link.try_recv(buffer, &mut details.passed);
        }
        for _ in 0..MOST_CHALLENGES {
            let taking = locked(&self.taking);
            let received = link.try_recv(buffer, &mut details.passed)?;
            drop(taking);
            match received {
                Received::Whole(len) if self.is_challenge(link, &buffer[..len]) => {}
                received => return Ok(received),
            }
        }
        details.is_flooded = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Takes challenges that have arrived, so that a client that only sends learns tokens, too.
    pub(super) fn look_for_challenges(&self, link: &Link) {
        if !self.envelope.as_ref().is_some_and(ClientEnvelope::has_tokens) {
            return;
        }
        for _ in 0..MOST_CHALLENGES {
            // One more byte than a challenge has, so that nothing longer looks like one.
            let mut datagram = [0; Envelope::CHALLENGE + 1];
            let taking = locked(&self.taking);
            let peeked = link.peek(&mut datagram);
            if !peeked.is_some_and(|len| Envelope::is_challenge(&datagram[..len])) {
                return;
            }
            let taken = link.try_recv(&mut datagram, &mut None);
            drop(taking);
            let Ok(Received::Whole(len)) = taken else { return };
            self.is_challenge(link, &datagram[..len]);
        }
    }

    /// Whether the datagram that was sent last was sent again because of a challenge.
    pub(super) fn is_challenged(&self) -> bool {
        self.envelope.as_ref().is_some_and(ClientEnvelope::is_challenged)
    }

    /// Returns whether a datagram is a challenge. If it is about the datagram that was sent last, sends that again.
    fn is_challenge(&self, link: &Link, datagram: &[u8]) -> bool {
        let Some(envelope) = &self.envelope else { return false };
        let counters = &self.counters;
        let is_challenge = envelope.is_challenge(datagram, Instant::now(), |again| {
            let sent = link.try_send(again);
            add(if sent.is_ok() { &counters.sent } else { &counters.send_errors }, 1);
            sent
        });
        add(&counters.challenges, u64::from(is_challenge));
        is_challenge
    }
}
