//! Text in a field of fixed size.

use std::{fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::{self, SerializeTuple},
};

use crate::serde_format::packed::form::TEXT_FIELD;

/// Text in a field of `N` bytes, for [`Fixed`](crate::Fixed): UTF-8, padded with NULs.
///
/// Make it from text with `into`, and use it as a `&str`. Its length is checked when it is encoded:
/// text of more than `N` bytes is an encode error, and is never cut. Decoding removes the NULs at
/// the end. So text that ends with NUL is an encode error too, since it would decode as another
/// text. Bytes that are not UTF-8 are a decode error.
///
/// In other serde formats it is an array of `N` bytes, or text if the format is human-readable, such
/// as JSON.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Fixed, FixedText};
///
/// let protocol: Fixed<FixedText<8>> = Fixed::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"naïve".into(), &mut datagram)?;
///
/// assert_eq!(datagram, "naïve\0\0".as_bytes());
/// assert_eq!(protocol.decode(&datagram)?, "naïve");
/// assert!(protocol.encode(&"more than 8".into(), &mut datagram).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FixedText<const N: usize>(String);

impl<const N: usize> FixedText<N> {
    fn fits(&self) -> Result<(), Unfit<N>> {
        if self.len() > N {
            return Err(Unfit::TooLong(self.len()));
        }
        if self.ends_with('\0') {
            return Err(Unfit::EndsWithNul);
        }
        Ok(())
    }
}

impl<const N: usize> Serialize for FixedText<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fits().map_err(ser::Error::custom)?;
        if serializer.is_human_readable() {
            return serializer.serialize_str(self);
        }

        let mut field = [0; N];
        field[..self.len()].copy_from_slice(self.as_bytes());
        serializer.serialize_newtype_struct(TEXT_FIELD, &Field(field))
    }
}

impl<'de, const N: usize> Deserialize<'de> for FixedText<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = Self(String::deserialize(deserializer)?);
            text.fits().map_err(de::Error::custom)?;
            return Ok(text);
        }
        deserializer.deserialize_tuple_struct(TEXT_FIELD, N, FieldVisitor)
    }
}

impl<const N: usize> Deref for FixedText<N> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<const N: usize> From<&str> for FixedText<N> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<const N: usize> From<String> for FixedText<N> {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl<const N: usize> From<FixedText<N>> for String {
    fn from(text: FixedText<N>) -> Self {
        text.0
    }
}

impl<const N: usize> PartialEq<str> for FixedText<N> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl<const N: usize> PartialEq<&str> for FixedText<N> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// The bytes of a field. serde sees an array; `Fixed` asks for all bytes at once.
struct Field<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Field<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_bytes(&self.0);
        }
        let mut field = serializer.serialize_tuple(N)?;
        for byte in &self.0 {
            field.serialize_element(byte)?;
        }
        field.end()
    }
}

struct FieldVisitor<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for FieldVisitor<N> {
    type Value = FixedText<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes of text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut field: A) -> Result<FixedText<N>, A::Error> {
        let mut bytes = [0; N];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = field.next_element()?.ok_or_else(|| de::Error::invalid_length(at, &self))?;
        }

        self.visit_bytes(&bytes)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<FixedText<N>, E> {
        if bytes.len() != N {
            return Err(E::invalid_length(bytes.len(), &self));
        }
        let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        str::from_utf8(&bytes[..len]).map(FixedText::from).map_err(E::custom)
    }
}

enum Unfit<const N: usize> {
    /// The text has this many bytes.
    TooLong(usize),

    /// The NUL would be read as padding.
    EndsWithNul,
}

impl<const N: usize> fmt::Display for Unfit<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(len) => write!(f, "text is {len} bytes, limit is {N}"),
            Self::EndsWithNul => f.write_str("text ends with NUL"),
        }
    }
}
