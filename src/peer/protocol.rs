//! The protocol of a server, erased to types that depend on its packets only.

use crate::{DatagramProtocol, DecodeError, EncodeError, Shape};

/// A protocol for packets of these two types.
pub(crate) struct Protocol<Req, Res>(Box<AnyProtocol<Req, Res>>);

type AnyProtocol<Req, Res> = dyn DatagramProtocol<Incoming = Req, Outgoing = Res> + Send + Sync;

impl<Req, Res> Protocol<Req, Res> {
    pub(crate) fn new<P>(protocol: P) -> Self
    where
        P: DatagramProtocol<Incoming = Req, Outgoing = Res> + Send + Sync + 'static,
    {
        Self(Box::new(protocol))
    }

    pub(crate) fn shape(&self) -> Shape {
        self.0.shape()
    }

    #[inline]
    pub(super) fn decode(&self, datagram: &[u8]) -> Result<Req, DecodeError> {
        self.0.decode(datagram)
    }
}

/// The half of a protocol that a sender needs. It does not depend on the type of received packets.
pub(super) trait Encode<Res: ?Sized>: Send + Sync {
    fn encode(&self, packet: &Res, datagram: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<Req, Res> Encode<Res> for Protocol<Req, Res> {
    #[inline]
    fn encode(&self, packet: &Res, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.encode(packet, datagram)
    }
}
