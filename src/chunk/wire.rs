//! A protocol in the format of a client or a server that may send packets in chunks.

use super::format::{WHOLE, parts};
use crate::{
    Correlated, DatagramProtocol, DecodeError, EncodeError, PeerTokens, Shape, ValidateAddress,
};

/// A protocol whose packets have one byte in front of them if there may be chunks.
#[derive(Debug)]
pub(crate) struct Wire<P> {
    protocol: P,
    has_kind: bool,
}

impl<P> Wire<P> {
    pub(crate) const fn new(protocol: P, has_kind: bool) -> Self {
        Self { protocol, has_kind }
    }

    /// How many bytes are in front of a packet.
    pub(crate) fn kind_len(&self) -> usize {
        self.has_kind.into()
    }

    /// The packet of a datagram that is a whole one.
    fn packet<'a>(&self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        match datagram {
            _ if !self.has_kind => Some(datagram),
            [WHOLE, packet @ ..] => Some(packet),
            _ => None,
        }
    }

    /// The packet of a datagram that was encoded here.
    fn encoded<'a>(&self, datagram: &'a mut [u8]) -> &'a mut [u8] {
        datagram.get_mut(self.kind_len()..).unwrap_or_default()
    }
}

impl<P: DatagramProtocol> DatagramProtocol for Wire<P> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<P::Incoming, DecodeError> {
        let packet = self.packet(datagram);
        self.protocol
            .decode(packet.ok_or(DecodeError::layer("neither a whole packet nor a chunk"))?)
    }

    fn encode(&self, packet: &P::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.has_kind {
            datagram.push(WHOLE);
        }
        self.protocol.encode(packet, datagram)
    }

    fn shape(&self) -> Shape {
        let packet = self.protocol.shape();
        if !self.has_kind {
            return packet;
        }
        packet.with_header(1).and(Shape::prefix([WHOLE])).or(parts())
    }
}

impl<P: Correlated> Correlated for Wire<P> {
    fn max_id(&self) -> u64 {
        self.protocol.max_id()
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        self.protocol.id(self.packet(datagram)?)
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        self.protocol.set_id(id, self.encoded(request));
    }

    fn set_one_way(&self, request: &mut [u8]) {
        self.protocol.set_one_way(self.encoded(request));
    }

    fn is_answer(&self, request: &[u8], datagram: &[u8]) -> bool {
        let both = self.packet(request).zip(self.packet(datagram));
        both.is_some_and(|(request, packet)| self.protocol.is_answer(request, packet))
    }

    fn is_refusal(&self, datagram: &[u8]) -> bool {
        self.packet(datagram).is_some_and(|packet| self.protocol.is_refusal(packet))
    }
}

/// A chunk has no token.
impl<P: ValidateAddress> ValidateAddress for Wire<P> {
    fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
        let packet = self.packet(datagram);
        packet.is_some_and(|packet| self.protocol.has_valid_token(packet, tokens))
    }

    fn challenge(&self, datagram: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
        if self.has_kind {
            challenge.push(WHOLE);
        }
        let packet = self.packet(datagram);
        packet.is_some_and(|packet| self.protocol.challenge(packet, tokens, challenge))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tagged, Text};

    //
    #[test]
    fn a_whole_packet_has_its_kind_in_front() {
        let wire = Wire::new(Tagged::new(Text), true);
        let mut request = Vec::new();
        wire.encode(&"hi".to_owned(), &mut request).unwrap();
        wire.set_id(7, &mut request);
        assert_eq!(request, b"\0\0\0\0\0\x07hi");
        wire.set_one_way(&mut request);
        assert_eq!(request, b"\0\x02\0\0\0\x07hi");

        let response = b"\0\x01\0\0\0\x07ho";
        assert_eq!((wire.id(response), wire.decode(response).unwrap()), (Some(7), "ho".to_owned()));
        assert!(wire.is_answer(&request, response) && !wire.is_refusal(response));
        assert!(wire.is_refusal(b"\0\x03\0\0\0\x07"));
        assert_eq!(wire.id(&response[1..]), None);
        assert!(wire.decode(&response[1..]).is_err() && wire.decode(b"").is_err());
    }

    //
    #[test]
    fn a_whole_packet_has_the_shape_of_its_protocol_behind_its_kind() {
        let shape = |has_kind| Wire::new(Tagged::new(Text), has_kind).shape();

        assert!(shape(true).matches(b"\0\x01\0\0\0\x07ho") && shape(true).matches(&[1; 18]));
        assert!(!shape(true).matches(b"\x01\0\0\0\x07ho") && !shape(true).matches(b"\0\x01ho"));
        assert!(shape(false).matches(b"\x01\0\0\0\x07ho") && !shape(false).matches(b"\0\x01ho"));
    }

    #[test]
    fn without_chunks_nothing_changes() {
        let wire = Wire::new(Tagged::new(Text), false);
        let mut request = Vec::new();
        wire.encode(&"hi".to_owned(), &mut request).unwrap();
        wire.set_id(7, &mut request);

        assert_eq!(request, b"\0\0\0\0\x07hi");
        assert_eq!(wire.id(b"\x01\0\0\0\x07ho"), Some(7));
    }
}
