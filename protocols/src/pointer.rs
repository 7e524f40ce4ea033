//! Pointers to a protocol are protocols.

use std::sync::Arc;

use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
    shape::Shape,
};

macro_rules! through {
    ($($pointer:ty),*) => {$(
        impl<P: DatagramProtocol + ?Sized> DatagramProtocol for $pointer {
            type Incoming = P::Incoming;
            type Outgoing = P::Outgoing;

            fn decode(&self, datagram: &[u8]) -> Result<P::Incoming, DecodeError> {
                (**self).decode(datagram)
            }

            fn encode(
                &self,
                packet: &P::Outgoing,
                datagram: &mut Vec<u8>,
            ) -> Result<(), EncodeError> {
                (**self).encode(packet, datagram)
            }

            fn shape(&self) -> Shape {
                (**self).shape()
            }
        }
    )*};
}

through!(&P, Box<P>, Arc<P>);
