//! Bytes, unchanged.

use bytes::Bytes;

use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
};

/// Bytes, unchanged: every datagram is a packet, including the empty one.
///
/// # Cost
///
/// One copy in each direction, and one allocation to receive. Each packet has its own allocation,
/// so keeping one keeps no other memory alive.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Raw};
///
/// let packet = Raw.decode(b"\x00\xff")?;
/// let mut datagram = Vec::new();
/// Raw.encode(&packet, &mut datagram)?;
///
/// assert_eq!(datagram, b"\x00\xff");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "bytes")]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "bytes as they are have no settings")]
pub struct Raw;

impl DatagramProtocol for Raw {
    type Incoming = Bytes;
    type Outgoing = Bytes;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        Ok(Bytes::copy_from_slice(datagram))
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.extend_from_slice(packet);
        Ok(())
    }
}
