//! Replaces the payload with the bytes of a layer.

use crate::error::EncodeError;

/// Replaces the bytes from `start` on with the bytes that `write` makes of them.
///
/// `write` gets these bytes, and room for `most` new ones. It returns how many bytes it has
/// written. The room is in the same buffer, after the old bytes, so nothing is allocated if the
/// buffer is long enough.
pub(super) fn replace(
    datagram: &mut Vec<u8>,
    start: usize,
    most: usize,
    write: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), EncodeError> {
    let end = datagram.len();
    datagram.resize(end + most, 0);
    let (payload, room) = datagram[start..].split_at_mut(end - start);
    let written = write(payload, room)?;
    datagram.copy_within(end..end + written, start);
    datagram.truncate(start + written);
    Ok(())
}
