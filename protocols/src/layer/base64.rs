//! Base64: bytes as text.

use std::borrow::Cow;

use ::base64::{
    Engine, encoded_len,
    engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE},
};

use super::{interface::Layer, replace::replace};
use crate::{
    error::{DecodeError, EncodeError},
    shape::Shape,
};

/// Encodes each datagram as base64 ([RFC 4648]), url-safe and padded, so that it is always text.
///
/// Three bytes become four characters, and `=` pads the last group. Decoding is strict: each
/// payload has exactly one encoded form. It refuses white space, missing or extra padding, nonzero
/// unused bits, and characters of another alphabet. The empty payload is the empty datagram.
///
/// Add it after layers that compress or sign.
///
/// [RFC 4648]: https://www.rfc-editor.org/rfc/rfc4648
///
/// # Cost
///
/// One buffer in each direction, and a third more bytes. Encoding 100 bytes takes 0.04 µs, decoding
/// them 0.07 µs.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Base64, DatagramProtocol, Raw};
///
/// let protocol = Raw.layer(Base64::new());
///
/// let mut datagram = Vec::new();
/// protocol.encode(&b"\xfb\xff\xfe\x00"[..].into(), &mut datagram)?;
///
/// assert_eq!(datagram, b"-__-AA==");
/// assert_eq!(protocol.decode(b"-__-AA==")?, b"\xfb\xff\xfe\x00"[..]);
/// assert!(protocol.decode(b"-__-AA").is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Base64 {
    engine: &'static GeneralPurpose,
}

impl Base64 {
    /// Creates the layer with the url-safe alphabet: `-` and `_` (RFC 4648, section 5).
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Base64, DatagramProtocol, Text};
    ///
    /// assert_eq!(Text.layer(Base64::new()).decode(b"aGk=")?, "hi");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { engine: &URL_SAFE }
    }

    /// Selects the standard alphabet: `+` and `/` (RFC 4648, section 4).
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Base64, DatagramProtocol, Raw};
    ///
    /// let protocol = Raw.layer(Base64::new().standard());
    ///
    /// assert_eq!(protocol.decode(b"+//+")?, b"\xfb\xff\xfe"[..]);
    /// assert!(protocol.decode(b"-__-").is_err());
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn standard(self) -> Self {
        Self { engine: &STANDARD }
    }
}

impl Default for Base64 {
    fn default() -> Self {
        Self::new()
    }
}

impl Layer for Base64 {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let Some(most) = encoded_len(datagram.len() - start, true) else {
            return Err(EncodeError::layer("the bytes do not fit into memory"));
        };
        replace(datagram, start, most, |payload, room| {
            self.engine.encode_slice(payload, room).map_err(|error| {
                EncodeError::layer("base64 cannot write the bytes").with_source(error)
            })
        })
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        match self.engine.decode(datagram) {
            Ok(payload) => Ok(payload.into()),
            Err(error) => Err(DecodeError::layer("invalid base64").with_source(error)),
        }
    }

    fn shape(&self, payload: &Shape) -> Shape {
        // Four characters for each three bytes. The first two are never padding.
        let characters = |bytes: usize| bytes.div_ceil(3).saturating_mul(4);
        let groups = payload.patterns().iter().map(|pattern| {
            let (min, max) = pattern.lengths().into_inner();
            Shape::lengths(characters(min)..=characters(max))
        });
        let groups = groups.reduce(Shape::or).unwrap_or_else(|| payload.clone());
        let letters = Shape::first_byte(b'A'..=b'Z').or(Shape::first_byte(b'a'..=b'z'));
        let others = Shape::first_byte(b'0'..=b'9').or(Shape::first_byte(b'+'..=b'+'));
        let more = [b'-', b'/', b'_'].map(|byte| Shape::prefix([byte]));
        let character = more.into_iter().fold(letters.or(others), Shape::or);
        let full = character.clone().and(character.with_header(1));
        groups.and(full.or(Shape::lengths(..=0)))
    }
}
