//! The protocol of a server, behind types that depend on its packets only.

use crate::{DatagramProtocol, DecodeError, EncodeError};

/// A protocol for packets of these two types.
pub(crate) trait AnyProtocol<Req, Res>: Encode<Res> {
    fn decode(&self, datagram: &[u8]) -> Result<Req, DecodeError>;
}

/// The half of a protocol that a sender needs: it knows nothing of the packets that are received.
pub(crate) trait Encode<Res>: Send + Sync {
    fn encode(&self, packet: &Res, datagram: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<P: DatagramProtocol + Send + Sync> AnyProtocol<P::Incoming, P::Outgoing> for P {
    fn decode(&self, datagram: &[u8]) -> Result<P::Incoming, DecodeError> {
        DatagramProtocol::decode(self, datagram)
    }
}

impl<P: DatagramProtocol + Send + Sync> Encode<P::Outgoing> for P {
    fn encode(&self, packet: &P::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        DatagramProtocol::encode(self, packet, datagram)
    }
}
