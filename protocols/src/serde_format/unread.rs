//! Takes pieces from the unread bytes of a datagram.

use crate::{error::DecodeError, serde_format::mismatch::Mismatch};

/// Takes the next `N` bytes.
#[inline]
pub(crate) fn take<const N: usize>(unread: &mut &[u8]) -> Result<[u8; N], Mismatch> {
    let (bytes, rest) = unread.split_first_chunk().ok_or(CUT)?;
    *unread = rest;
    Ok(*bytes)
}

/// Takes the next `len` bytes.
#[inline]
pub(crate) fn piece<'de>(unread: &mut &'de [u8], len: u64) -> Result<&'de [u8], Mismatch> {
    let len = usize::try_from(len).map_err(|_| CUT)?;
    let (piece, rest) = unread.split_at_checked(len).ok_or(CUT)?;
    *unread = rest;
    Ok(piece)
}

/// Checks that bytes are UTF-8.
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Mismatch> {
    str::from_utf8(bytes).map_err(|_| Mismatch::new("invalid UTF-8"))
}

// A separate function, to keep errors out of the code that reads valid packets.
#[cold]
#[inline(never)]
pub(crate) fn refused(error: Mismatch, levels: usize, invalid: &'static str) -> DecodeError {
    DecodeError::codec(invalid).with_source(error.with_limit(levels))
}

const CUT: Mismatch = Mismatch::new("unexpected end of datagram");
