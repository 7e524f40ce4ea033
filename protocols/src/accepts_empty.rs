//! Asks a protocol about the empty datagram.

use std::hint::black_box;

use crate::{error::DecodeError, protocol::DatagramProtocol};

/// Whether the empty datagram is a packet.
pub(crate) fn accepts_empty<P: DatagramProtocol>(protocol: &P) -> bool {
    // Through a pointer: what decodes a type has one caller that the compiler sees, so it is inlined there.
    let decode: fn(&P, &[u8]) -> Result<P::Incoming, DecodeError> = P::decode;
    black_box(decode)(protocol, b"").is_ok()
}
