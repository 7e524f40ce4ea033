//! Bytes as they are.

use bytes::Bytes;

use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
};

/// Bytes as they are: every datagram is a packet, the empty one included.
///
/// # Cost
///
/// A copy each way, and an allocation to receive it: a packet of its own size, so keeping one keeps nothing
/// else in memory.
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, Raw};
///
/// let packet = Raw.decode(b"\x00\xff")?;
/// let mut datagram = Vec::new();
/// Raw.encode(&packet, &mut datagram)?;
///
/// assert_eq!(datagram, b"\x00\xff");
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
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
