//! JSON, as [RFC 8259] has it: no comments, no `NaN`, no byte order mark.
//!
//! [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259

mod ascii;

use std::{fmt, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::error::Category;

use self::ascii::AsciiFormatter;
use crate::{DatagramProtocol, DecodeError, EncodeError};

/// JSON ([RFC 8259]) of serde types: `I` is received, `O` is sent.
///
/// Written compact, without a newline at the end, fields in the order of the type, floats so that
/// they read back as the same float. A float that is not finite has no JSON and is written as
/// `null`.
///
/// Read strictly: one JSON text with nothing but white space around it, in UTF-8, nested at most
/// 127 levels deep. A number beyond the range of its type, a lone surrogate or a field given twice
/// is refused. In fields that a type does not have, which serde skips, only the grammar is checked;
/// serde's attribute `deny_unknown_fields` on the type refuses them instead.
///
/// # Limits
///
/// A datagram costs what its octets justify: JSON declares no lengths. Nesting is limited to 127 levels. A
/// type that contains itself with nothing but newtypes and `Option` between, so that it has no JSON but
/// `null`, must not be received: nothing bounds how deep it is looked for. One that contains itself by serde's
/// attributes `untagged`, `flatten` or `tag` is read from a copy that serde keeps, and copied again on each level;
/// where variants overlap, the time doubles with each level, so twenty may take seconds.
///
/// # Cost
///
/// That of serde_json: a struct of an integer, 21 characters and eight floats takes 122 octets, about 2,300
/// instructions to write and 3,900 to read. Nothing is allocated but the packet.
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
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Json<I, O> {
    /// Creates the codec; both types are inferred from the handler or named: `Json::<Question,
    /// Answer>::new()`.
    #[must_use]
    pub const fn new() -> Self {
        Self { ascii: false, types: PhantomData }
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
}

impl<I: DeserializeOwned, O: Serialize> DatagramProtocol for Json<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        // Once over the whole, since serde_json looks at each text by itself and not at those it
        // skips.
        let text = str::from_utf8(datagram)
            .map_err(|error| DecodeError::codec("UTF-8 was expected").with_source(error))?;
        serde_json::from_str(text)
            .map_err(|error| DecodeError::codec(expected(error.classify())).with_source(error))
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let written = if self.ascii {
            packet.serialize(&mut serde_json::Serializer::with_formatter(datagram, AsciiFormatter))
        } else {
            serde_json::to_writer(datagram, packet)
        };
        written.map_err(|error| {
            EncodeError::codec("a packet that JSON can express was expected").with_source(error)
        })
    }
}

impl<I, O> Clone for Json<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, O> Copy for Json<I, O> {}

impl<I, O> fmt::Debug for Json<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").field("ascii", &self.ascii).finish_non_exhaustive()
    }
}

impl<I, O> Default for Json<I, O> {
    fn default() -> Self {
        Self::new()
    }
}

const fn expected(category: Category) -> &'static str {
    match category {
        Category::Eof => "the rest of the JSON text was expected",
        Category::Data => "JSON of the shape of the packet was expected",
        Category::Syntax | Category::Io => "JSON was expected",
    }
}
