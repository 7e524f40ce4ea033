//! How a layer puts other bytes in the place of those it is given.

use crate::error::EncodeError;

/// Puts in the place of the bytes from `start` on what `write` makes of them.
///
/// `write` is lent these bytes and room for `most` others, and returns how many it has written
/// there. The room is behind them in the same buffer, so nothing is allocated once that is long
/// enough.
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
