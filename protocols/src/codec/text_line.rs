//! Lines of text, without their terminator.

use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
};

/// A line of text, as programs send it that were made for terminals and streams.
///
/// Such programs end a line, and so a datagram, with a terminator: LF unless [`cr`](Self::cr) or
/// [`crlf`](Self::crlf) is asked for. When reading, all terminators at the end are removed, unless
/// they are [kept](Self::keep_terminator); those of another kind, and those before the end, are
/// part of the text. When writing, nothing is added: the end of the datagram ends the line. Where
/// the other side wants to see a terminator, put it into the text.
///
/// Text is ASCII, and anything else is refused both ways, unless [UTF-8](Self::utf8) is asked for.
/// The empty text is the empty datagram.
///
/// # Cost
///
/// To receive, a look at each byte, a copy, and its allocation of as many bytes as the text has; to send, a
/// look and a copy.
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, TextLine};
///
/// let protocol = TextLine::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"HELO example".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram, b"HELO example");
/// assert_eq!(protocol.decode(b"250 OK\n")?, "250 OK");
/// assert!(protocol.decode("¿qué?\n".as_bytes()).is_err());
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TextLine {
    terminator: &'static str,
    keep: bool,
    utf8: bool,
}

impl TextLine {
    /// Creates the codec of lines in ASCII that end with LF, U+000A.
    #[must_use]
    pub const fn new() -> Self {
        Self { terminator: "\n", keep: false, utf8: false }
    }

    /// Selects CR, U+000D, as the terminator.
    #[must_use]
    pub const fn cr(self) -> Self {
        Self { terminator: "\r", ..self }
    }

    /// Selects CR and LF as the terminator, as the protocols of the Internet have it.
    ///
    /// A CR or LF by itself is then no terminator.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, TextLine};
    ///
    /// let protocol = TextLine::new().crlf();
    ///
    /// assert_eq!(protocol.decode(b"QUIT\r\n")?, "QUIT");
    /// assert_eq!(protocol.decode(b"QUIT\n")?, "QUIT\n");
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    #[must_use]
    pub const fn crlf(self) -> Self {
        Self { terminator: "\r\n", ..self }
    }

    /// Leaves the terminators in the text, so that a packet is its datagram to the byte.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, TextLine};
    ///
    /// assert_eq!(TextLine::new().keep_terminator().decode(b"QUIT\n")?, "QUIT\n");
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    #[must_use]
    pub const fn keep_terminator(self) -> Self {
        Self { keep: true, ..self }
    }

    /// Reads and writes UTF-8 instead of ASCII.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, TextLine};
    ///
    /// assert_eq!(TextLine::new().utf8().decode("¿qué?\n".as_bytes())?, "¿qué?");
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
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
}

impl Default for TextLine {
    fn default() -> Self {
        Self::new()
    }
}
