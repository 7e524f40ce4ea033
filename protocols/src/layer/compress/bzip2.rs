//! Compression as a bzip2 stream.

use std::borrow::Cow;

use ::bzip2::{Action, Compress, Compression, Decompress, Status};

use super::inflate::inflate;
use crate::{
    error::{DecodeError, EncodeError},
    layer::{interface::Layer, replace::replace},
    shape::Shape,
};

/// Compresses each datagram as one bzip2 stream, as the program [bzip2] writes it.
///
/// Use it for peers that already use bzip2. It takes ten times the time of [`Zlib`](crate::Zlib),
/// and compresses better only for long texts. The stream must be the whole datagram: a stream that
/// is cut or corrupt, or with bytes after it, is refused. A checksum (CRC-32) detects accidental
/// changes. An empty payload takes 14 bytes, and a small one about 40 bytes more than with zlib.
///
/// [bzip2]: https://sourceware.org/bzip2/
///
/// # Limits
///
/// 50 bytes can decompress to 45 MB. A datagram that would decompress to more bytes than the limit
/// is refused. Decompression needs memory for a whole block before the first byte: 400 KB for each
/// 80,000 bytes of the limit, rounded up, at most 3.6 MB. The limit decides this, not the block
/// size that a datagram declares. Compression has no limit. It needs about 1.2 MB for each 79,000
/// bytes, at most 7.6 MB.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Bzip2, DatagramProtocol, Text};
///
/// let protocol = Text.layer(Bzip2::with_limit(4_096));
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"ping ".repeat(100), &mut datagram)?;
///
/// assert!(datagram.starts_with(b"BZh9"));
/// assert_eq!(protocol.decode(&datagram)?.len(), 500);
/// assert!(Text.layer(Bzip2::with_limit(499)).decode(&datagram).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "compress")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Bzip2 {
    limit: usize,
    level: u8,
}

impl Bzip2 {
    /// Creates a layer that refuses datagrams which decompress to more than `limit` bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Bzip2, DatagramProtocol, Text};
    ///
    /// let protocol = Text.layer(Bzip2::with_limit(1_200));
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"ping".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(protocol.decode(&datagram)?, "ping");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { limit, level: 9 }
    }

    /// Sets the block size in units of 100,000 bytes, 1 to 9. The default is 9.
    ///
    /// The level is in each datagram. Receivers use it to know how much memory they need; this
    /// layer uses its limit instead. A payload below 79,000 bytes fits in one block at every level,
    /// so the level changes nothing else for it. Streams of every level can be decompressed.
    ///
    /// # Panics
    ///
    /// Panics if `level` is not between 1 and 9.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Bzip2, DatagramProtocol, Text};
    ///
    /// let protocol = Text.layer(Bzip2::with_limit(1_200).level(1));
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"ping".to_owned(), &mut datagram)?;
    ///
    /// assert!(datagram.starts_with(b"BZh1"));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn level(self, level: u8) -> Self {
        assert!(matches!(level, 1..=9), "level is not 1 to 9");
        Self { level, ..self }
    }
}

impl Layer for Bzip2 {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let payload = datagram.len() - start;
        let most = payload + payload / 100 + 600; // bzip2's manual, section 3.4
        // bzip2's run-length coding makes a payload at most a quarter longer. If it then fits in a
        // block of a lower level, that level gives the same bytes with less memory.
        let level = usize::from(self.level).min(payload / 79_000 + 1);
        replace(datagram, start, most, |payload, room| {
            let mut compress = Compress::new(Compression::new(level as u32), 0);
            let Ok(Status::StreamEnd) = compress.compress(payload, room, Action::Finish) else {
                return Err(EncodeError::layer("bzip2 cannot compress the bytes"));
            };
            room[LEVEL] = b'0' + self.level;
            Ok(compress.total_out() as usize)
        })
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        let Some((&[b'B', b'Z', b'h', level @ b'1'..=b'9'], blocks)) = datagram.split_first_chunk()
        else {
            return Err(DecodeError::layer("invalid header of a bzip2 stream"));
        };
        // A block that is too long for this level decompresses to more than the limit.
        let enough = (self.limit / 80_000 + 1).min(9) as u8;
        let header = [b'B', b'Z', b'h', level.min(b'0' + enough)];

        inflate(datagram, self.limit, |room| run(header, blocks, room))
    }

    fn shape(&self, _: &Shape) -> Shape {
        // The shortest stream has a header of 4 bytes, and the end of 10.
        let level = Shape::first_byte(b'1'..=b'9').with_header(LEVEL);
        Shape::prefix(b"BZh").and(level).and(Shape::lengths(14..))
    }
}

fn run(header: [u8; 4], blocks: &[u8], room: &mut [u8]) -> Result<Option<usize>, DecodeError> {
    let mut inflater = Decompress::new(false);
    let status = inflater
        .decompress(&header, room)
        .and_then(|_| inflater.decompress(blocks, room))
        .map_err(|error| DecodeError::layer("invalid bzip2 stream").with_source(error))?;

    let (read, written) = (inflater.total_in() as usize, inflater.total_out() as usize);
    match status {
        Status::StreamEnd if read == header.len() + blocks.len() => Ok(Some(written)),
        Status::StreamEnd => Err(DecodeError::layer("trailing bytes after the bzip2 stream")),
        _ if written == room.len() => Ok(None),
        _ => Err(DecodeError::layer("unexpected end of the bzip2 stream")),
    }
}

const LEVEL: usize = 3; // where the header has it, as an ASCII digit
