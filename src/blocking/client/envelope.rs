//! Envelopes of a blocking client: what it puts into them, and what challenges lead to.

use std::io;

use super::{
    link::{Link, Received},
    shared::{RecvDetails, Shared},
};
use crate::{
    ClientSendError, DatagramProtocol, client_envelope::MOST_CHALLENGES, lock::locked,
    token::Envelope, transport::Scratch,
};

impl<P: DatagramProtocol> Shared<P> {
    /// Encodes a packet, in its envelope if there are envelopes.
    pub(super) fn encode(
        &self,
        link: &Link,
        packet: &P::Outgoing,
    ) -> Result<Scratch, ClientSendError> {
        let encoded = Scratch::encode(link.max_len(), |datagram| {
            self.envelopes.begin(datagram);
            self.protocol.encode(packet, datagram)
        });
        encoded.map_err(|error| self.envelopes.not_encoded(error))
    }
}

impl<P> Shared<P> {
    /// Takes a datagram that has arrived, after the challenges before it.
    pub(super) fn take(
        &self,
        link: &Link,
        buffer: &mut [u8],
        details: &mut RecvDetails,
    ) -> io::Result<Received> {
        if self.envelopes.get().is_none() {
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
        if !self.envelopes.have_tokens() {
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

    /// Returns whether a datagram is a challenge. If it is about the datagram that was sent last, sends that again.
    fn is_challenge(&self, link: &Link, datagram: &[u8]) -> bool {
        self.envelopes.get().is_some_and(|envelope| {
            envelope.is_challenge(datagram, &self.counters, |again| link.try_send(again))
        })
    }
}
