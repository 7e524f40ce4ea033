//! Lines of text, without their terminator.

use super::text::utf8;
use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
    shape::Shape,
};

/// A line of text, for programs that were made for terminals and streams.
///
/// Such programs end a line, and so a datagram, with a terminator. The default is LF;
/// [`cr`](Self::cr) and [`crlf`](Self::crlf) select another one.
///
/// - Decoding removes all terminators at the end of the datagram, unless you
///   [keep](Self::keep_terminator) them. Other terminators, and those before the end, are part of
///   the text.
/// - Encoding adds no terminator: the end of the datagram ends the line. If the other side needs a
///   terminator, put it into the text.
///
/// The text is ASCII, and other text is refused in both directions, unless you select
/// [UTF-8](Self::utf8). The empty text is the empty datagram.
///
/// # Cost
///
/// To receive: a check of each byte, and one copy in an allocation of the text's size. To send: a
/// check and one copy.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, TextLine};
///
/// let protocol = TextLine::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"HELO example".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram, b"HELO example");
/// assert_eq!(protocol.decode(b"250 OK\n")?, "250 OK");
/// assert!(protocol.decode("¿qué?\n".as_bytes()).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "lines")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TextLine {
    terminator: &'static str,
    keep: bool,
    utf8: bool,
}

impl TextLine {
    /// Creates the codec of ASCII lines that end with LF, U+000A.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, TextLine};
    ///
    /// assert_eq!(TextLine::new().decode(b"QUIT\n")?, "QUIT");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { terminator: "\n", keep: false, utf8: false }
    }

    /// Selects CR, U+000D, as the terminator.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, TextLine};
    ///
    /// assert_eq!(TextLine::new().cr().decode(b"QUIT\r")?, "QUIT");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn cr(self) -> Self {
        Self { terminator: "\r", ..self }
    }

    /// Selects CR LF as the terminator, as many Internet protocols do.
    ///
    /// A single CR or LF is then part of the text.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, TextLine};
    ///
    /// let protocol = TextLine::new().crlf();
    ///
    /// assert_eq!(protocol.decode(b"QUIT\r\n")?, "QUIT");
    /// assert_eq!(protocol.decode(b"QUIT\n")?, "QUIT\n");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn crlf(self) -> Self {
        Self { terminator: "\r\n", ..self }
    }

    /// Keeps the terminators in the text, so that a packet has exactly the bytes of its datagram.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, TextLine};
    ///
    /// assert_eq!(TextLine::new().keep_terminator().decode(b"QUIT\n")?, "QUIT\n");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn keep_terminator(self) -> Self {
        Self { keep: true, ..self }
    }

    /// Decodes and encodes UTF-8 instead of ASCII.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, TextLine};
    ///
    /// assert_eq!(TextLine::new().utf8().decode("¿qué?\n".as_bytes())?, "¿qué?");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn utf8(self) -> Self {
        Self { utf8: true, ..self }
    }
}

impl DatagramProtocol for TextLine {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        if !self.utf8 && !datagram.is_ascii() {
            return Err(DecodeError::codec("text is not ASCII"));
        }
        let line = str::from_utf8(datagram)
            .map_err(|error| DecodeError::codec("invalid UTF-8").with_source(error))?;

        let text = if self.keep { line } else { line.trim_end_matches(self.terminator) };
        Ok(text.to_owned())
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        if !self.utf8 && !packet.is_ascii() {
            return Err(EncodeError::codec("text is not ASCII"));
        }
        datagram.extend_from_slice(packet.as_bytes());
        Ok(())
    }

    fn shape(&self) -> Shape {
        if self.utf8 {
            return utf8();
        }
        Shape::first_byte(..=0x7f).or(Shape::lengths(..=0))
    }
}

impl Default for TextLine {
    fn default() -> Self {
        Self::new()
    }
}
