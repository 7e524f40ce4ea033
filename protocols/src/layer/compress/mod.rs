//! Layers that compress: fewer bytes on the wire, for time.
//!
//! What they have in common is here. A stranger's datagram is inflated into buffers that grow with
//! what really comes out of it, up to the limit and one byte more, whatever it declares.

#[cfg(feature = "bzip2")]
mod bzip2;
#[cfg(any(feature = "zlib", feature = "zstd"))]
mod kept;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use std::borrow::Cow;

#[cfg(feature = "bzip2")]
pub use self::bzip2::Bzip2;
#[cfg(feature = "lz4")]
pub use self::lz4::Lz4;
#[cfg(feature = "zlib")]
pub use self::zlib::Zlib;
#[cfg(feature = "zstd")]
pub use self::zstd::Zstd;
use crate::DecodeError;

/// Returns at most `limit` bytes, as `inflate` writes them into the room that it is lent.
///
/// `inflate` begins anew each time. It returns how many bytes it has written, or `None` if they
/// may need more room.
///
/// Most payloads fit in the first room, and for the others the room grows so fast that beginning
/// anew costs a seventh at most. No room is there beside another.
fn inflate<'d>(
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
            _ => return Err(DecodeError::layer("a payload within the limit was expected")),
        }
    }
}
