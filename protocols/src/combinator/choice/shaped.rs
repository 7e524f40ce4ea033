//! A protocol with a shape, which decides which datagrams belong to it.

use crate::{
    combinator::adapter::Shaped,
    error::{DecodeError, EncodeError},
    protocol::{Claim, DatagramProtocol},
    shape::Shape,
};

impl<P: DatagramProtocol> DatagramProtocol for Shaped<P> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        if !self.claims(datagram) {
            return Err(DecodeError::layer("the bytes do not have the shape"));
        }
        self.protocol.decode(datagram)
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = datagram.len();
        self.protocol.encode(packet, datagram)?;
        if !datagram.get(start..).is_some_and(|bytes| self.claims(bytes)) {
            return Err(EncodeError::layer("the bytes do not have the shape"));
        }
        Ok(())
    }

    fn shape(&self) -> Shape {
        self.protocol.shape().and(self.shape.clone())
    }
}

impl<P: DatagramProtocol> Claim for Shaped<P> {
    fn claims(&self, datagram: &[u8]) -> bool {
        self.shape.matches(datagram)
    }
}
