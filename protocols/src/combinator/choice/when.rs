//! A protocol with a condition, which decides which datagrams belong to it.

use std::ops::RangeBounds;

use crate::{
    combinator::adapter::When,
    error::{DecodeError, EncodeError},
    protocol::{Claim, DatagramProtocol},
    shape::Shape,
};

/// Returns a condition for [`DatagramProtocol::when`]: the first byte is in `bytes`.
///
/// Use it for protocols on one port that were not designed to share it, see [RFC 7983]. The byte
/// stays part of the datagram. The empty datagram has no first byte, so it never meets the
/// condition.
///
/// For a server with a kernel filter use [`DatagramProtocol::shaped`] with
/// [`Shape::first_byte`](crate::Shape::first_byte) instead, which it knows.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::first_byte;
///
/// let is_media = first_byte(128..=191);
///
/// assert!(is_media(&[0x80, 0x60]));
/// assert!(!is_media(&[0x00, 0x01]));
/// assert!(!is_media(&[]));
/// ```
///
/// [RFC 7983]: https://www.rfc-editor.org/rfc/rfc7983
pub fn first_byte(bytes: impl Clone + RangeBounds<u8>) -> impl Clone + Fn(&[u8]) -> bool {
    move |datagram| datagram.first().is_some_and(|byte| bytes.contains(byte))
}

impl<P: DatagramProtocol, F: Fn(&[u8]) -> bool> DatagramProtocol for When<P, F> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        if !self.claims(datagram) {
            return Err(DecodeError::layer("the bytes do not meet the condition"));
        }
        self.protocol.decode(datagram)
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = datagram.len();
        self.protocol.encode(packet, datagram)?;
        if !datagram.get(start..).is_some_and(|bytes| self.claims(bytes)) {
            return Err(EncodeError::layer("the bytes do not meet the condition"));
        }
        Ok(())
    }

    fn shape(&self) -> Shape {
        self.protocol.shape()
    }
}

impl<P: DatagramProtocol, F: Fn(&[u8]) -> bool> Claim for When<P, F> {
    fn claims(&self, datagram: &[u8]) -> bool {
        (self.condition)(datagram)
    }
}
