//! UTF-8 text, unchanged.

use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
    shape::Shape,
};

/// UTF-8 text, unchanged: nothing is added, trimmed or normalized.
///
/// The empty text is the empty datagram. A line feed at the end is part of the text.
///
/// # Cost
///
/// To receive: a check of each byte, one allocation and one copy. To send: one copy.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Text};
///
/// assert_eq!(Text.decode("¿qué?".as_bytes())?, "¿qué?");
/// assert!(Text.decode(b"\xff").is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("utf8", "string"))]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "text as it is has no settings")]
pub struct Text;

impl DatagramProtocol for Text {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        match str::from_utf8(datagram) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(DecodeError::codec("invalid UTF-8").with_source(error)),
        }
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.extend_from_slice(packet.as_bytes());
        Ok(())
    }

    fn shape(&self) -> Shape {
        utf8()
    }
}

/// The shape of UTF-8 (RFC 3629, section 4).
pub(super) fn utf8() -> Shape {
    let first = Shape::first_byte(..=0x7f).or(Shape::first_byte(0xc2..=0xf4));
    first.or(Shape::lengths(..=0))
}
