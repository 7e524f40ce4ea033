//! The error of codecs for a datagram that is longer than its packet.

use crate::error::DecodeError;

// A separate function, to keep errors out of the code that reads valid packets.
#[cold]
#[inline(never)]
pub(crate) fn trailing(left: usize) -> DecodeError {
    DecodeError::codec("trailing bytes after the packet").with_source(match left {
        1 => "1 byte".to_owned(),
        _ => format!("{left} bytes"),
    })
}
