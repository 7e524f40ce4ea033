//! The protocol of a server whose datagrams are in envelopes.

use super::envelope::Envelope;
use crate::{DatagramProtocol, DecodeError, EncodeError};

/// A protocol that puts what it encodes into an envelope. It decodes what was taken out of one.
#[derive(Debug)]
pub(crate) struct Enveloped<P>(pub(crate) P);

impl<P: DatagramProtocol> DatagramProtocol for Enveloped<P> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, payload: &[u8]) -> Result<P::Incoming, DecodeError> {
        self.0.decode(payload)
    }

    fn encode(&self, packet: &P::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Envelope::begin_reply(datagram);
        self.0.encode(packet, datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;

    //
    #[test]
    fn what_a_server_sends_is_a_reply_in_an_envelope() {
        let (protocol, mut datagram) = (Enveloped(Text), Vec::new());
        protocol.encode(&"hi".to_owned(), &mut datagram).unwrap();

        assert_eq!(datagram, b"\x11hi");
        assert_eq!(protocol.decode(b"hi").unwrap(), "hi");
    }
}
