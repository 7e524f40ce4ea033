//! Compression as a zlib stream.

use std::borrow::Cow;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{inflate::inflate, kept::Kept};
use crate::{
    error::{DecodeError, EncodeError},
    layer::{interface::Layer, replace::replace},
    shape::Shape,
};

/// Compresses each datagram as one zlib stream ([RFC 1950]), for which nearly every language has a
/// library.
///
/// The stream must be the whole datagram. A stream that is cut or altered, that has bytes after it,
/// or that has a preset dictionary, is refused. A checksum (Adler-32) detects accidental changes.
/// Most small payloads do not compress: such a payload grows by about 11 bytes, and at level 1 also
/// by an eighth of its length.
///
/// [RFC 1950]: https://www.rfc-editor.org/rfc/rfc1950
///
/// # Limits
///
/// One byte can decompress to 1,030. A datagram that would decompress to more bytes than the limit
/// is refused, and takes no more memory than the limit and 64 KiB. Set the limit to the longest
/// packet that you expect. Compression has no limit.
///
/// Each thread that compresses keeps 370 KiB for the next datagram, and each thread that
/// decompresses keeps 50 KiB. That more than halves the time.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Text, Zlib};
///
/// let protocol = Text.layer(Zlib::with_limit(4_096));
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"ping ".repeat(100), &mut datagram)?;
///
/// assert!(datagram.len() < 30);
/// assert_eq!(protocol.decode(&datagram)?.len(), 500);
/// assert!(Text.layer(Zlib::with_limit(499)).decode(&datagram).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("compress", "deflate"))]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Zlib {
    limit: usize,
    level: u8,
}

impl Zlib {
    /// Creates a layer that refuses datagrams which decompress to more than `limit` bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Text, Zlib};
    ///
    /// let protocol = Text.layer(Zlib::with_limit(1_200));
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"ping".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(protocol.decode(&datagram)?, "ping");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { limit, level: 6 }
    }

    /// Sets the compression level: 0 stores, 1 is the fastest, 9 compresses best. The default is 6.
    ///
    /// Streams of every level can be decompressed.
    ///
    /// # Panics
    ///
    /// Panics if `level` is above 9.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Zlib;
    ///
    /// const FAST: Zlib = Zlib::with_limit(1_200).level(1);
    /// ```
    #[must_use]
    pub const fn level(self, level: u8) -> Self {
        assert!(level <= 9, "level is above 9");
        Self { level, ..self }
    }
}

impl Layer for Zlib {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let payload = datagram.len() - start;
        // No level takes more than nine bits for a byte; the rest is for header and trailer.
        let most = payload + payload / 8 + 64;
        replace(datagram, start, most, |payload, room| {
            DEFLATER.with(|kept| {
                let make = || Deflater::new(self.level);
                kept.lend(make, |deflater| deflater.run(self.level, payload, room))
            })
        })
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        INFLATER.with(|kept| {
            kept.lend(
                || Decompress::new(true),
                |inflater| inflate(datagram, self.limit, |room| run(inflater, datagram, room)),
            )
        })
    }

    fn shape(&self, _: &Shape) -> Shape {
        // RFC 1950: the method is 8, and then a bit says that there is a dictionary, which is refused.
        // The shortest stream has a header of 2 bytes, an empty block of 10 bits, and a checksum of 4.
        let methods = (0..16).map(|info| Shape::prefix([info << 4 | 8]));
        let method = methods.reduce(Shape::or).unwrap_or_else(Shape::any);
        method.and(Shape::lengths(8..))
    }
}

/// A compressor of one level.
struct Deflater {
    level: u8,
    compress: Compress,
}

impl Deflater {
    fn new(level: u8) -> Self {
        Self { level, compress: Compress::new(Compression::new(level.into()), true) }
    }

    fn run(&mut self, level: u8, payload: &[u8], room: &mut [u8]) -> Result<usize, EncodeError> {
        if self.level == level {
            self.compress.reset();
        } else {
            *self = Self::new(level);
        }
        match self.compress.compress(payload, room, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => Ok(self.compress.total_out() as usize),
            _ => Err(EncodeError::layer("zlib cannot compress the bytes")),
        }
    }
}

fn run(
    inflater: &mut Decompress,
    datagram: &[u8],
    room: &mut [u8],
) -> Result<Option<usize>, DecodeError> {
    inflater.reset(true);
    let status = inflater
        .decompress(datagram, room, FlushDecompress::Finish)
        .map_err(|error| DecodeError::layer("invalid zlib stream").with_source(error))?;

    let (read, written) = (inflater.total_in() as usize, inflater.total_out() as usize);
    match status {
        Status::StreamEnd if read == datagram.len() => Ok(Some(written)),
        Status::StreamEnd => Err(DecodeError::layer("trailing bytes after the zlib stream")),
        _ if written == room.len() => Ok(None),
        _ => Err(DecodeError::layer("unexpected end of the zlib stream")),
    }
}

thread_local! {
    static DEFLATER: Kept<Deflater> = const { Kept::new() };
    static INFLATER: Kept<Decompress> = const { Kept::new() };
}
