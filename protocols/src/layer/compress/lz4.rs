//! Compression as an LZ4 block.

use std::borrow::Cow;

use lz4_flex::block::{DecompressError, compress_into, decompress_into, get_maximum_output_size};

use super::inflate::inflate;
use crate::{
    error::{DecodeError, EncodeError},
    layer::{interface::Layer, replace::replace},
};

/// Compresses each datagram as one LZ4 block ([block format]). It is the fastest of the compression
/// layers.
///
/// A block contains only the compressed bytes: no magic number, no length, no checksum. So a
/// payload that does not compress grows by one byte for each 255 bytes and one for the rest, and
/// the empty payload takes one byte. It also means that an altered or cut datagram may decode as
/// another payload. UDP checks datagrams with 16 bits. If your network does not check them, put a
/// [`Crc32c`](crate::Crc32c), or a layer with a key, around this layer. The frames of the program
/// `lz4`, and blocks with a length before them, are other formats, which this layer cannot read.
///
/// [block format]: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
///
/// # Limits
///
/// One byte can decompress to 255. A datagram that would decompress to more bytes than the limit is
/// refused, and takes no more memory than the limit. Compression has no limit.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Lz4, Text};
///
/// let protocol = Text.layer(Lz4::with_limit(4_096));
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"ping ".repeat(100), &mut datagram)?;
///
/// assert!(datagram.len() < 20);
/// assert_eq!(protocol.decode(&datagram)?.len(), 500);
/// assert!(Text.layer(Lz4::with_limit(499)).decode(&datagram).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "compress")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Lz4 {
    limit: usize,
}

impl Lz4 {
    /// Creates a layer that refuses datagrams which decompress to more than `limit` bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Lz4, Text};
    ///
    /// let protocol = Text.layer(Lz4::with_limit(1_200));
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"ping".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(protocol.decode(&datagram)?, "ping");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { limit }
    }
}

impl Layer for Lz4 {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let most = get_maximum_output_size(datagram.len() - start);
        replace(datagram, start, most, |payload, room| {
            compress_into(payload, room).map_err(|error| {
                EncodeError::layer("LZ4 cannot compress the bytes").with_source(error)
            })
        })
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        inflate(datagram, self.limit, |room| match decompress_into(datagram, room) {
            Ok(len) => Ok(Some(len)),
            Err(DecompressError::OutputTooSmall { .. }) => Ok(None),
            Err(error) => Err(DecodeError::layer("invalid LZ4 block").with_source(error)),
        })
    }
}
