//! Compression as a Zstandard frame.

use std::{borrow::Cow, fmt, sync::Arc};

use zstd_safe::{
    CCtx, CDict, DCtx, DDict, ErrorCode, compress_bound, find_frame_compressed_size,
    get_error_name, is_error_kind, zstd_sys::ZSTD_ErrorCode,
};

use super::{inflate::inflate, kept::Kept};
use crate::{
    error::{DecodeError, EncodeError},
    layer::{interface::Layer, replace::replace},
    shape::Shape,
};

/// Compresses each datagram as one Zstandard frame ([RFC 8878]), best with a dictionary that both
/// sides have.
///
/// The frame must be the whole datagram. A frame that is cut, that has bytes after it, or that is
/// skippable, is refused. This layer writes no checksum, so an altered datagram may decode as
/// another payload. UDP checks datagrams with 16 bits. If your network does not check them, put a
/// [`Crc32c`](crate::Crc32c), or a layer with a key, around this layer. A checksum in a received
/// frame is checked. A payload that does not compress grows by 9 to 12 bytes.
///
/// This layer is the only part of this crate that uses C code, so it needs a C compiler.
///
/// [RFC 8878]: https://www.rfc-editor.org/rfc/rfc8878
///
/// # Limits
///
/// One byte can decompress to 32,000. A datagram that would decompress to more bytes than the limit
/// is refused, and takes no more memory than the limit. The length that it declares does not
/// matter. A frame is decompressed in one step without a window, so the window size that it
/// declares costs nothing. Compression has no limit.
///
/// Each thread that decompresses keeps 96 KiB for the next datagram. A thread that compresses keeps
/// 26 KiB after small datagrams, 650 KiB after the longest ones, and 1.8 MiB at the highest levels.
/// That more than halves the time for small datagrams.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Text, Zstd};
///
/// let protocol = Text.layer(Zstd::with_limit(4_096));
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"ping ".repeat(100), &mut datagram)?;
///
/// assert!(datagram.len() < 30);
/// assert_eq!(protocol.decode(&datagram)?.len(), 500);
/// assert!(Text.layer(Zstd::with_limit(499)).decode(&datagram).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "compress")]
#[derive(Clone)]
pub struct Zstd {
    limit: usize,
    level: i32,
    dictionary: Option<Arc<Dictionary>>,
}

impl Zstd {
    /// Creates a layer that refuses datagrams which decompress to more than `limit` bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Text, Zstd};
    ///
    /// let protocol = Text.layer(Zstd::with_limit(1_200));
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"ping".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(protocol.decode(&datagram)?, "ping");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { limit, level: 3, dictionary: None }
    }

    /// Sets the compression level: -7 is the fastest, 22 compresses best. The default is 3.
    ///
    /// Frames of every level can be decompressed.
    ///
    /// # Panics
    ///
    /// Panics if `level` is not between -7 and 22.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Text, Zstd};
    ///
    /// let fast = Text.layer(Zstd::with_limit(1_200).level(-7));
    /// let best = Text.layer(Zstd::with_limit(1_200).level(22));
    ///
    /// let mut datagram = Vec::new();
    /// fast.encode(&"ping".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(best.decode(&datagram)?, "ping");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub fn level(self, level: i32) -> Self {
        assert!((-7..=22).contains(&level), "level is {level}, not -7 to 22");
        let layer = Self { level, dictionary: None, ..self };
        match self.dictionary {
            Some(dictionary) => layer.dictionary(&dictionary.bytes),
            None => layer,
        }
    }

    /// Sets the dictionary: bytes that packets have in common. Both sides must have the same
    /// dictionary.
    ///
    /// A small datagram contains little that repeats. With a dictionary of typical packets it
    /// repeats parts of those, and often takes a third of the bytes. `zstd --train` makes a
    /// dictionary of many samples. A few packets, one after another with the most typical ones
    /// last, also work. A trained dictionary has a number, which takes up to four bytes of each
    /// datagram, and a datagram that was made with another dictionary is refused. Plain bytes have
    /// no number: if the two sides have different bytes, a datagram is refused or decodes as
    /// another payload.
    ///
    /// The dictionary is prepared here, once for all clones of this layer. The bytes are copied.
    ///
    /// # Panics
    ///
    /// Panics if `bytes` begin like a trained dictionary but are not a valid one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Text, Zstd};
    ///
    /// let plain = Text.layer(Zstd::with_limit(4_096));
    /// let known = Text.layer(Zstd::with_limit(4_096).dictionary(br#"{"sensor":"kitchen","celsius":21.5}"#));
    ///
    /// let packet = r#"{"sensor":"cellar","celsius":12.5}"#.to_owned();
    /// let (mut long, mut short) = (Vec::new(), Vec::new());
    /// plain.encode(&packet, &mut long)?;
    /// known.encode(&packet, &mut short)?;
    ///
    /// assert!(short.len() < packet.len() && packet.len() < long.len());
    /// assert_eq!(known.decode(&short)?, packet);
    /// assert!(plain.decode(&short).is_err());
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub fn dictionary(self, bytes: &[u8]) -> Self {
        Self { dictionary: Some(Arc::new(Dictionary::new(bytes, self.level))), ..self }
    }
}

impl Layer for Zstd {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let most = compress_bound(datagram.len() - start);
        replace(datagram, start, most, |payload, room| {
            let written = DEFLATER.with(|kept| {
                kept.lend(CCtx::create, |context| match &self.dictionary {
                    Some(known) => context.compress_using_cdict(room, payload, &known.deflate),
                    None => context.compress(room, payload, self.level),
                })
            });
            written.map_err(|code| {
                EncodeError::layer("zstd cannot compress the bytes")
                    .with_source(get_error_name(code))
            })
        })
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        // Otherwise zstd reads several frames, and skips the skippable ones, which begin with
        // another number.
        if !datagram.starts_with(&MAGIC) {
            return Err(DecodeError::layer("wrong magic number of a zstd frame"));
        }
        if find_frame_compressed_size(datagram).map_err(no_frame)? != datagram.len() {
            return Err(DecodeError::layer("trailing bytes after the zstd frame"));
        }
        INFLATER.with(|kept| {
            kept.lend(DCtx::create, |context| {
                inflate(datagram, self.limit, |room| {
                    let written = match &self.dictionary {
                        Some(known) => {
                            context.decompress_using_ddict(room, datagram, &known.inflate)
                        }
                        None => context.decompress(room, datagram),
                    };
                    match written {
                        Ok(len) => Ok(Some(len)),
                        Err(code) if is_error_kind(code, TOO_SMALL) => Ok(None),
                        Err(code) => Err(no_frame(code)),
                    }
                })
            })
        })
    }

    fn shape(&self, _: &Shape) -> Shape {
        Shape::prefix(MAGIC)
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd")
            .field("limit", &self.limit)
            .field("level", &self.level)
            .field("dictionary", &self.dictionary.as_ref().map(|known| known.bytes.len()))
            .finish()
    }
}

/// Bytes that both sides know, prepared for compression and decompression.
struct Dictionary {
    bytes: Box<[u8]>,
    deflate: CDict<'static>,
    inflate: DDict<'static>,
}

impl Dictionary {
    #[track_caller]
    fn new(bytes: &[u8], level: i32) -> Self {
        let (Some(deflate), Some(inflate)) =
            (CDict::try_create(bytes, level), DDict::try_create(bytes))
        else {
            panic!("invalid zstd dictionary");
        };
        Self { bytes: bytes.into(), deflate, inflate }
    }
}

fn no_frame(code: ErrorCode) -> DecodeError {
    DecodeError::layer("invalid zstd frame").with_source(get_error_name(code))
}

thread_local! {
    static DEFLATER: Kept<CCtx<'static>> = const { Kept::new() };
    static INFLATER: Kept<DCtx<'static>> = const { Kept::new() };
}

const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes(); // RFC 8878, section 3.1.1
const TOO_SMALL: ZSTD_ErrorCode = ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall;
