//! Buffers to inflate into.
//!
//! They grow with what really comes out of a stranger's datagram, up to the limit and one byte more,
//! whatever it declares.

use std::borrow::Cow;

use crate::error::DecodeError;

/// Returns at most `limit` bytes, as `inflate` writes them into the room that it is lent.
///
/// `inflate` begins anew each time. It returns how many bytes it has written, or `None` if they
/// may need more room.
///
/// Most payloads fit in the first room, and for the others the room grows so fast that beginning
/// anew costs a seventh at most. No room is there beside another.
pub(super) fn inflate<'d>(
    datagram: &[u8],
    limit: usize,
    mut inflate: impl FnMut(&mut [u8]) -> Result<Option<usize>, DecodeError>,
) -> Result<Cow<'d, [u8]>, DecodeError> {
    // One byte past the limit tells "exactly full" from "too long".
    let most = limit.saturating_add(1);
    let mut room = datagram.len().saturating_mul(4).clamp(1, most);
    loop {
        let mut bytes = vec![0; room];
        match inflate(&mut bytes)? {
            Some(len) if len <= limit => {
                bytes.truncate(len);
                return Ok(bytes.into());
            }
            None if room < most => room = room.saturating_mul(8).min(most),
            _ => {
                let error = DecodeError::layer("the payload exceeds the limit");
                return Err(error.with_source(format!("the limit is {limit} bytes")));
            }
        }
    }
}
