//! A protocol with a converter around it: other packets, the same bytes.

pub(crate) mod converter;
pub(crate) mod converter_fn;
pub(crate) mod try_convert;

use self::converter::Converter;
use crate::{
    combinator::adapter::Convert,
    error::{DecodeError, EncodeError},
    protocol::{Claim, DatagramProtocol},
    shape::Shape,
};

impl<P, C> DatagramProtocol for Convert<P, C>
where
    P: DatagramProtocol,
    C: Converter<WireIncoming = P::Incoming, WireOutgoing = P::Outgoing>,
{
    type Incoming = C::Incoming;
    type Outgoing = C::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let packet = self.protocol.decode(datagram)?;
        self.converter.convert_incoming(packet).map_err(|source| {
            DecodeError::converter("the converter refused the packet").with_source(source)
        })
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let packet = self.converter.convert_outgoing(packet).map_err(|source| {
            EncodeError::converter("the converter refused the packet").with_source(source)
        })?;
        self.protocol.encode(&packet, datagram)
    }

    fn shape(&self) -> Shape {
        self.protocol.shape()
    }
}

impl<P, C> Claim for Convert<P, C>
where
    P: Claim,
    C: Converter<WireIncoming = P::Incoming, WireOutgoing = P::Outgoing>,
{
    fn claims(&self, datagram: &[u8]) -> bool {
        self.protocol.claims(datagram)
    }
}
