//! A protocol with a layer around it: the same packets, other bytes.

use crate::{
    combinator::adapter::Layered,
    error::{DecodeError, EncodeError},
    layer::interface::Layer,
    protocol::DatagramProtocol,
    shape::Shape,
};

impl<P: DatagramProtocol, L: Layer> DatagramProtocol for Layered<P, L> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        self.protocol.decode(&self.layer.undo(datagram)?)
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = datagram.len();
        self.protocol.encode(packet, datagram)?;
        self.layer.apply(datagram, start)
    }

    fn shape(&self) -> Shape {
        self.layer.shape(&self.protocol.shape())
    }
}
