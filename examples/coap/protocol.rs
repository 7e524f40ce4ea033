//! CoAP messages (RFC 7252, section 3) as a protocol: the crate `coap-lite` reads and writes them.

use std::sync::atomic::AtomicU16;

use coap_lite::Packet;
use datagrammar::{Correlated, DatagramProtocol, DecodeError, EncodeError};

/// The next ID of a message that answers none.
pub(crate) static NEXT_ID: AtomicU16 = AtomicU16::new(0);

pub(crate) struct Coap;

impl DatagramProtocol for Coap {
    type Incoming = Packet;
    type Outgoing = Packet;

    fn decode(&self, datagram: &[u8]) -> Result<Packet, DecodeError> {
        // The crate also reads other versions, empty messages with a token, and a marker without a payload. A message has one
        // form only, and the crate does not write such a marker.
        let is_valid = matches!(datagram, [0x40..=0x7f, 1..=0xff, ..] | [0x40..=0x7f, 0, _, _]);
        let message = Packet::from_bytes(datagram).ok().filter(|_| is_valid);
        let message = message.filter(|read| read.to_bytes_unlimited().as_deref() == Ok(datagram));
        message.ok_or(DecodeError::codec("malformed message"))
    }

    fn encode(&self, message: &Packet, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let bytes = message.to_bytes_unlimited();
        datagram.extend(bytes.map_err(|_| EncodeError::codec("message cannot be written"))?);
        Ok(())
    }
}

impl Correlated for Coap {
    fn max_id(&self) -> u64 {
        u16::MAX.into()
    }

    /// For the reply cache: the message ID of a request or ping, and of a message that answers it, which is a response in an
    /// acknowledgment, or a reset. Other messages have none, since the server has counted the ID of a notification. A client
    /// would also implement `is_answer`.
    fn id(&self, datagram: &[u8]) -> Option<u64> {
        let &[head, code, a, b, ..] = datagram else { return None };
        // Confirmable messages have the type 0, non-confirmable ones 1, acknowledgments 2, and resets 3.
        let is_part = matches!((head >> 4 & 3, code), (0..=1, ..0x20) | (2, 1..) | (3, _));
        is_part.then_some(u16::from_be_bytes([a, b]).into())
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        request[2..4].copy_from_slice(&(id as u16).to_be_bytes());
    }
}

/// The reset that rejects a confirmable message (section 4.2), also if it is malformed.
pub(crate) fn reset(message: &[u8]) -> Option<Packet> {
    let &[0x40..=0x4f, _, a, b, ..] = message else { return None };
    Packet::from_bytes(&[0x70, 0, a, b]).ok()
}
