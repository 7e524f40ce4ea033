//! Buffers for decompression.
//!
//! A buffer grows with the bytes that a datagram really decompresses to, up to the limit and one
//! byte more. Declared lengths are ignored.

use std::borrow::Cow;

use crate::error::DecodeError;

/// Returns at most `limit` bytes, which `inflate` writes into a buffer.
///
/// `inflate` starts from the beginning each time. It returns how many bytes it has written, or
/// `None` if it may need a longer buffer.
///
/// Most payloads fit in the first buffer. Each further one is eight times longer, so the repeated
/// work costs at most a seventh. Only one buffer is alive at a time.
pub(super) fn inflate<'d>(
    datagram: &[u8],
    limit: usize,
    mut inflate: impl FnMut(&mut [u8]) -> Result<Option<usize>, DecodeError>,
) -> Result<Cow<'d, [u8]>, DecodeError> {
    // One byte past the limit distinguishes "exactly full" from "too long".
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
