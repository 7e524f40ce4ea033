//! Two protocols on one port, distinguished by the bytes of the datagram.

pub(crate) mod either;
mod shaped;
pub(crate) mod when;

use self::either::Either;
use crate::{
    combinator::adapter::Choice,
    error::{DecodeError, EncodeError},
    protocol::{Claim, DatagramProtocol},
    shape::Shape,
};

impl<A: Claim, B: DatagramProtocol> DatagramProtocol for Choice<A, B> {
    type Incoming = Either<A::Incoming, B::Incoming>;
    type Outgoing = Either<A::Outgoing, B::Outgoing>;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        if self.one.claims(datagram) {
            self.one.decode(datagram).map(Either::Left)
        } else {
            self.other.decode(datagram).map(Either::Right)
        }
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let packet = match packet {
            Either::Left(packet) => return self.one.encode(packet, datagram),
            Either::Right(packet) => packet,
        };

        let start = datagram.len();
        self.other.encode(packet, datagram)?;
        // The other side would decode it with the first protocol.
        if datagram.get(start..).is_some_and(|bytes| self.one.claims(bytes)) {
            return Err(EncodeError::layer("another protocol claims these bytes"));
        }
        Ok(())
    }

    fn shape(&self) -> Shape {
        self.one.shape().or(self.other.shape())
    }
}

impl<A: Claim, B: Claim> Claim for Choice<A, B> {
    fn claims(&self, datagram: &[u8]) -> bool {
        self.one.claims(datagram) || self.other.claims(datagram)
    }
}
