//! JSON, as [RFC 8259] has it: no comments, no `NaN`, no byte order mark.
//!
//! [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259

mod access;
mod ascii;
mod deserializer;
mod number;
mod quoted;
mod reader;

use std::marker::PhantomData;

use serde::{
    Serialize,
    de::{self, DeserializeOwned},
};

use self::{
    ascii::AsciiFormatter,
    reader::{Broken, MinusZero, Reader},
};
use crate::{
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::{beyond::without_doubt, mismatch::Mismatch},
};

/// JSON ([RFC 8259]) of serde types: `I` is received, `O` is sent.
///
/// Written compact, without a newline at the end, fields in the order of the type, floats so that
/// they read back as the same float. A float that is not finite has no JSON and is written as
/// `null`.
///
/// Read strictly: one JSON text with nothing but white space around it, in UTF-8, nested at most
/// 127 levels deep. A number beyond the range of its type, a lone surrogate or a field given twice
/// is refused, and so is a list for a struct with named fields. `-0` is 0 to an integer, and to a float it keeps its
/// sign. In fields that a type does not have, which serde skips, only the grammar and the nesting are checked;
/// serde's attribute `deny_unknown_fields` on the type refuses them instead.
///
/// What is read does not depend on the features of serde_json, such as `arbitrary_precision`, which any crate of
/// a program sets for all: the reader is ours. That is why names that begin with `$serde_json::private::`
/// are refused: the types of serde_json would take such an object for a number, or for JSON in text.
///
/// # Attributes of serde
///
/// For `tag`, `content`, `flatten` and `untagged` serde keeps a copy of what there is until it knows the type, and reads
/// that by rules of its own: a list is read as a struct there, and integers beyond 64 bits are floats. A number that
/// is beyond `f32` but not `f64` is refused there too, where an `f32` would take it; to find out, the datagram is read
/// again, up to nine times. Two cases remain:
///
/// - An `untagged` enum in which one variant takes such a number as `f32` may be refused although a later one takes
///   it as `f64`. Put the variant with the `f64` first.
/// - Of more than eight such numbers in a packet eight are looked at, spread over the packet. Another one is
///   infinity where its field is an `f32`.
///
/// # Limits
///
/// A datagram costs what its bytes justify: JSON declares no lengths. Nesting is limited to 127 levels, see
/// [`nesting_limit`](Self::nesting_limit). A type that contains itself with nothing but newtypes and `Option` between
/// is refused after 64 of them. One that contains itself by serde's attributes `untagged`, `flatten` or `tag` is read from
/// a copy that serde keeps, and copied again on each level; where variants overlap, the time doubles with each
/// level, so twenty may take seconds. With nothing else between, it must not be received: serde follows it within its
/// copy until the stack ends.
///
/// # Cost
///
/// A struct of an integer, 21 characters and eight floats takes 122 bytes, about 2,300 instructions to write, by
/// serde_json, and 3,700 to read. Nothing is allocated but the packet.
///
/// [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, Json};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct Question {
///     id: u32,
///     text: String,
/// }
///
/// #[derive(Serialize)]
/// struct Answer {
///     id: u32,
///     right: bool,
/// }
///
/// let protocol = Json::<Question, Answer>::new();
///
/// let question = protocol.decode(br#"{"id": 7, "text": "2 + 2 = 4?"}"#)?;
/// let mut datagram = Vec::new();
/// protocol.encode(&Answer { id: question.id, right: true }, &mut datagram)?;
///
/// assert_eq!(question.text, "2 + 2 = 4?");
/// assert_eq!(datagram, br#"{"id":7,"right":true}"#);
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
pub struct Json<I, O = I> {
    ascii: bool,
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Json<I, O> {
    /// Creates the codec; both types are inferred from the handler or named: `Json::<Question,
    /// Answer>::new()`.
    #[must_use]
    pub const fn new() -> Self {
        Self { ascii: false, levels: 127, types: PhantomData }
    }

    /// Writes ASCII only: what is above U+007E becomes `\u` and four lower-case hexadecimal digits,
    /// beyond U+FFFF a pair of them.
    ///
    /// For receivers that are not ready for UTF-8. What is read stays the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Json};
    ///
    /// let protocol: Json<String> = Json::new().ascii();
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"5 €".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(datagram, br#""5 \u20ac""#);
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    #[must_use]
    pub const fn ascii(self) -> Self {
        Self { ascii: true, ..self }
    }

    /// Sets how many levels deep a packet that is received may be nested.
    ///
    /// Each list, object and enum variant with content is a level, those that are skipped too. The limit is there for
    /// types that contain themselves: without it a datagram would choose how much stack they take. The default is
    /// 127, which fits a stack of 2 MiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Json};
    ///
    /// let protocol: Json<Vec<Vec<u8>>> = Json::new().nesting_limit(1);
    ///
    /// assert!(protocol.decode(b"[]").is_ok());
    /// assert!(protocol.decode(b"[[]]").is_err());
    /// ```
    #[must_use]
    pub const fn nesting_limit(self, levels: usize) -> Self {
        Self { levels, ..self }
    }
}

impl<I: DeserializeOwned, O: Serialize> DatagramProtocol for Json<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        // Once over the whole, so that all that is read is text.
        let text = str::from_utf8(datagram)
            .map_err(|error| DecodeError::codec("invalid UTF-8").with_source(error))?;
        let mut zero = MinusZero::Float;
        loop {
            let mut reader = Reader::new(text, self.levels, zero);
            match I::deserialize(&mut reader).and_then(|packet| reader.whole(packet)) {
                Ok(packet) if reader.beyond.doubt() == 0 => return Ok(packet),
                Ok(_) => {
                    let again = || self.decode(datagram);
                    return without_doubt(reader.beyond.doubt(), again, OTHER_SHAPE);
                }
                // It may have been for an integer.
                Err(_) if reader.zero == MinusZero::FloatSeen => zero = MinusZero::Integer,
                Err(error) => return Err(described(&error.with_limit(self.levels), &reader)),
            }
        }
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let written = if self.ascii {
            packet.serialize(&mut serde_json::Serializer::with_formatter(datagram, AsciiFormatter))
        } else {
            serde_json::to_writer(datagram, packet)
        };
        written.map_err(|error| {
            EncodeError::codec("JSON cannot express the packet").with_source(error)
        })
    }
}

plain!(Json<I, O> { ascii, levels });

#[cold]
fn described(error: &Mismatch, reader: &Reader<'_>) -> DecodeError {
    let (line, column) = reader.position();
    // From the text of an error serde_json takes where it is.
    let source: serde_json::Error =
        de::Error::custom(format_args!("{error} at line {line} column {column}"));
    DecodeError::codec(match reader.broken() {
        Some(Broken::Cut) => "unexpected end of JSON",
        Some(Broken::Syntax) => "invalid JSON",
        None => OTHER_SHAPE,
    })
    .with_source(source)
}

const OTHER_SHAPE: &str = "JSON does not match the packet type";
