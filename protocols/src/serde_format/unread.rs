//! What our formats take from the bytes of a datagram.

use crate::{error::DecodeError, serde_format::mismatch::Mismatch};

/// Takes the next bytes.
#[inline]
pub(crate) fn take<const N: usize>(unread: &mut &[u8]) -> Result<[u8; N], Mismatch> {
    let (bytes, rest) = unread.split_first_chunk().ok_or(CUT)?;
    *unread = rest;
    Ok(*bytes)
}

/// Takes as many bytes as a length says.
#[inline]
pub(crate) fn piece<'de>(unread: &mut &'de [u8], len: u64) -> Result<&'de [u8], Mismatch> {
    let len = usize::try_from(len).map_err(|_| CUT)?;
    let (piece, rest) = unread.split_at_checked(len).ok_or(CUT)?;
    *unread = rest;
    Ok(piece)
}

/// Takes bytes for text.
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Mismatch> {
    str::from_utf8(bytes).map_err(|_| Mismatch::expected("UTF-8 was expected"))
}

/// Returns the packet that was read, if no bytes are left of its datagram.
#[inline]
pub(crate) fn whole<T>(
    read: Result<(T, usize), Mismatch>,
    expected: &'static str,
) -> Result<T, DecodeError> {
    match read {
        Ok((packet, 0)) => Ok(packet),
        Ok(_) => Err(DecodeError::codec("the end of the datagram after the packet was expected")),
        Err(error) => Err(DecodeError::codec(expected).with_source(error)),
    }
}

const CUT: Mismatch = Mismatch::expected("the rest of the packet was expected");
