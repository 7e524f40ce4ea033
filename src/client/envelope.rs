//! Envelopes of a client: what it puts into them, and what challenges lead to.

use std::io;

use tokio::time::Instant;

use super::{arrived::Arrived, link::Link, shared::Shared};
use crate::{
    ClientSendError, DatagramProtocol, EncodeError,
    lock::locked,
    transport::{Scratch, SendBatch},
};

impl<P: DatagramProtocol> Shared<P> {
    /// Encodes a packet, in its envelope if there are envelopes.
    pub(super) fn encode(
        &self,
        link: &Link,
        packet: &P::Outgoing,
    ) -> Result<Scratch, ClientSendError> {
        let encoded = Scratch::encode(link.max_len(), |datagram| self.write(packet, datagram));
        encoded.map_err(|error| self.envelopes.not_encoded(error))
    }

    pub(super) fn write(
        &self,
        packet: &P::Outgoing,
        datagram: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.envelopes.begin(datagram);
        self.protocol.encode(packet, datagram)
    }
}

impl<P> Shared<P> {
    /// Sends the datagrams for which the kernel has room; see [`Link::try_send_batch`].
    pub(super) fn send_batch(&self, link: &Link, batch: &mut SendBatch) -> io::Result<bool> {
        let Some(envelope) = self.envelopes.get() else {
            return link.try_send_batch(batch, &self.counters);
        };
        let newest = batch.last().filter(|_| self.envelopes.have_tokens()).map(<[u8]>::to_vec);
        envelope.send_several(newest, Instant::now(), || link.try_send_batch(batch, &self.counters))
    }

    /// Takes challenges that have arrived, so that a client that only sends learns tokens, too. It asks the kernel only if
    /// something has arrived.
    pub(super) fn look_for_challenges(&self, link: &Link) {
        if !self.envelopes.have_tokens() {
            return;
        }
        let mut arrived = locked(&self.arrived);
        self.skip_challenges(link, &mut arrived);
        if arrived.is_empty() {
            arrived.clear();
            // An error of the socket comes again when the client receives.
            if link.try_recv(&mut arrived.batch, false).is_ok() {
                self.skip_challenges(link, &mut arrived);
                if !arrived.is_empty() {
                    drop(arrived);
                    // As in `try_take`.
                    self.more.notify_waiters();
                }
            }
        }
    }

    /// Takes the challenges in front. If a challenge is about the datagram that was sent last, sends that again. Returns how
    /// many there were.
    pub(super) fn skip_challenges(&self, link: &Link, arrived: &mut Arrived) -> usize {
        let Some(envelope) = self.envelopes.get() else { return 0 };
        let mut challenges = 0;
        arrived.skip_while(&self.peer_addr, |datagram| {
            let is_challenge =
                envelope.is_challenge(datagram, &self.counters, |again| link.try_send(again));
            challenges += usize::from(is_challenge);
            is_challenge
        });
        challenges
    }
}
