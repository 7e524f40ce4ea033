//! JSON as defined by [RFC 8259]: no comments, no `NaN`, no byte order mark.
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
    accepts_empty::accepts_empty,
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::{beyond::without_doubt, mismatch::Mismatch},
    shape::Shape,
};

/// JSON ([RFC 8259]) of serde types: `I` is received, `O` is sent.
///
/// The types need serde: add `serde = { version = "1", features = ["derive"] }` to your program.
///
/// Encoding writes compact JSON: no newline at the end, fields in the order of the type, floats in
/// a form that decodes as the same float. A float that is not finite cannot be written in JSON, and
/// becomes `null`.
///
/// Decoding is strict. A datagram is one JSON text in UTF-8, with nothing but white space around
/// it, nested at most 127 levels deep. These are refused: a number out of the range of its type, a
/// lone surrogate, a duplicate field, and a list for a struct with named fields. `-0` is 0 for an
/// integer; for a float it keeps its sign. serde skips fields that a type does not have. In such
/// skipped fields only the grammar and the nesting are checked. serde's attribute
/// `deny_unknown_fields` on the type refuses such fields.
///
/// Any crate can switch on features of `serde_json`, such as `arbitrary_precision`, for the whole
/// program. They do not change decoding here, because this crate has its own reader. Names that
/// begin with `$serde_json::private::` are refused, because `serde_json`'s types would read such an
/// object as a number or as JSON in text. `encode` writes such names. So if strangers choose the names
/// of a map that you send on, refuse this prefix.
///
/// # Attributes of serde
///
/// With the attributes `tag`, `content`, `flatten` and `untagged`, serde first copies the data and
/// then reads the copy by its own rules: a list may become a struct, and integers beyond 64 bits
/// become floats. A number too large for an `f32` field is still refused; to find it, the datagram
/// is read again, up to nine times. Two cases are not handled:
///
/// - An `untagged` enum may be refused if one variant takes such a number as `f32`, although a
///   later variant takes it as `f64`. Put the variant with the `f64` first.
/// - Only eight such numbers are checked, spread over the packet. Another one becomes infinity if
///   its field is an `f32`.
///
/// # Limits
///
/// Decoding uses memory in proportion to the length of the datagram, since JSON declares no
/// lengths. Nesting is limited to 127 levels, see [`nesting_limit`](Self::nesting_limit). Recursive
/// types have further limits:
///
/// - If a type contains itself only through newtypes and `Option`, more than 64 levels are refused.
/// - A recursive type that contains itself by serde's attributes `untagged`, `flatten` or `tag` is
///   read from a copy that serde keeps, and copied again on each level. If variants overlap, the
///   time doubles with each level, so twenty levels may take seconds.
/// - Never receive a type that contains itself only through these attributes, such as the one
///   below. serde follows it within its copy until the stack overflows.
///
/// ```
/// # use serde::Deserialize;
/// #[derive(Deserialize)]
/// #[serde(untagged)]
/// enum Endless { Again(Box<Endless>) }
/// ```
///
/// # Cost
///
/// A struct of an integer, 21 characters and eight floats takes 122 bytes. Encoding takes about
/// 2,300 instructions, by `serde_json`, and decoding 3,700. Only the packet is allocated.
///
/// [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Json};
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
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
pub struct Json<I, O = I> {
    ascii: bool,
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Json<I, O> {
    /// Creates the codec.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `Json::<Question, Answer>::new()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Json};
    ///
    /// let protocol: Json<Vec<u8>> = Json::new();
    ///
    /// assert_eq!(protocol.decode(b"[1, 2]")?, [1, 2]);
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { ascii: false, levels: 127, types: PhantomData }
    }

    /// Writes ASCII only: characters above U+007E become `\u` and four lower-case hexadecimal
    /// digits, and characters beyond U+FFFF become a pair of them.
    ///
    /// Use it for receivers that cannot read UTF-8. Decoding does not change.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Json};
    ///
    /// let protocol: Json<String> = Json::new().ascii();
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"5 €".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(datagram, br#""5 \u20ac""#);
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn ascii(self) -> Self {
        Self { ascii: true, ..self }
    }

    /// Sets how many levels deep a received packet may be nested. The default is 127, which fits a
    /// stack of 2 MiB.
    ///
    /// Each list, object and enum variant with content is a level, also in skipped fields. Without
    /// the limit, a datagram could make a recursive type use any amount of stack.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Json};
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
        // One check over the whole, so that all slices of it are valid text.
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
                // The `-0` may have been for an integer.
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

    fn shape(&self) -> Shape {
        // Only a type that reads nothing accepts the empty text, and then also white space.
        if accepts_empty(self) {
            return Shape::any();
        }
        let bytes = b" \t\n\r{[\"-tfn".iter().map(|byte| Shape::prefix([*byte]));
        bytes.fold(Shape::first_byte(b'0'..=b'9'), Shape::or)
    }
}

plain!(Json<I, O> { ascii, levels });

#[cold]
fn described(error: &Mismatch, reader: &Reader<'_>) -> DecodeError {
    let (line, column) = reader.position();
    // `serde_json` parses the line and the column from the text of such an error.
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
