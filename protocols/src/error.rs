//! Errors of protocols.
//!
//! Both error types are opaque, so that protocols can wrap each other without a new error type for
//! each level. They are cheap, since an attacker decides how often they are made: without a source
//! they allocate nothing.

use std::{error::Error, fmt};

/// Any error, boxed: returned by converters, and by the handlers of `datagrammar`.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::BoxError;
///
/// let error: BoxError = "temperature is below absolute zero".into();
///
/// assert_eq!(error.to_string(), "temperature is below absolute zero");
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The error of a datagram that is not a valid packet.
///
/// `Display` says what is wrong, in a text that is fixed at compile time. It never contains bytes
/// of the datagram, so it is safe to log. The [source](Error::source), if there is one, may quote
/// the datagram.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, ErrorKind, Text};
///
/// let error = Text.decode(b"\xe9").unwrap_err();
///
/// assert_eq!(error.kind(), ErrorKind::Codec);
/// assert_eq!(error.to_string(), "invalid UTF-8");
/// ```
#[derive(Debug)]
pub struct DecodeError(Fault);

impl DecodeError {
    /// Creates the error of a codec: the bytes are not in its format.
    ///
    /// `problem` says what is wrong, such as `"header is shorter than 12 bytes"`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DecodeError, ErrorKind};
    ///
    /// let error = DecodeError::codec("header is shorter than 12 bytes");
    ///
    /// assert_eq!(error.kind(), ErrorKind::Codec);
    /// ```
    #[must_use]
    pub const fn codec(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Codec, problem))
    }

    /// Creates the error of a layer: the bytes that the layer adds are wrong. For example, a
    /// signature does not match.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DecodeError, ErrorKind};
    ///
    /// assert_eq!(DecodeError::layer("wrong checksum").kind(), ErrorKind::Layer);
    /// ```
    #[must_use]
    pub const fn layer(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Layer, problem))
    }

    /// Creates the error of a converter: the codec decoded the packet, and your code refuses it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DecodeError, ErrorKind};
    ///
    /// assert_eq!(DecodeError::converter("unknown player").kind(), ErrorKind::Converter);
    /// ```
    #[must_use]
    pub const fn converter(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Converter, problem))
    }

    /// Sets the cause of this error, which [`source`](Error::source) returns.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use std::error::Error;
    /// use datagrammar::DecodeError;
    ///
    /// let cause = "x7".parse::<u32>().unwrap_err();
    ///
    /// let error = DecodeError::codec("not a decimal number").with_source(cause);
    ///
    /// assert!(error.source().unwrap().is::<std::num::ParseIntError>());
    /// ```
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> Self {
        Self(self.0.with_source(source.into()))
    }

    /// Returns which part of the protocol refused the datagram.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, ErrorKind, Prefix, Text};
    ///
    /// let protocol = Text.layer(Prefix::new(*b"QZ"));
    ///
    /// assert_eq!(protocol.decode(b"hello").unwrap_err().kind(), ErrorKind::Layer);
    /// assert_eq!(protocol.decode(b"QZ\xff").unwrap_err().kind(), ErrorKind::Codec);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.problem)
    }
}

impl Error for DecodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// The error of a packet that cannot be encoded as a datagram.
///
/// As with [`DecodeError`], the text of `Display` is fixed at compile time. The
/// [source](Error::source), if there is one, has the details.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{EncodeError, ErrorKind};
///
/// let error = EncodeError::codec("name is longer than 255 bytes");
///
/// assert_eq!(error.kind(), ErrorKind::Codec);
/// assert_eq!(error.to_string(), "name is longer than 255 bytes");
/// ```
#[derive(Debug)]
pub struct EncodeError(Fault);

impl EncodeError {
    /// Creates the error of a codec: its format cannot express the packet.
    ///
    /// `problem` says what is wrong, such as `"name is longer than 255 bytes"`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{EncodeError, ErrorKind};
    ///
    /// let error = EncodeError::codec("name is longer than 255 bytes");
    ///
    /// assert_eq!(error.kind(), ErrorKind::Codec);
    /// ```
    #[must_use]
    pub const fn codec(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Codec, problem))
    }

    /// Creates the error of a layer: it cannot wrap the payload.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{EncodeError, ErrorKind};
    ///
    /// assert_eq!(EncodeError::layer("payload is longer than 64 KiB").kind(), ErrorKind::Layer);
    /// ```
    #[must_use]
    pub const fn layer(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Layer, problem))
    }

    /// Creates the error of a converter: your code refuses to send the packet.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{EncodeError, ErrorKind};
    ///
    /// assert_eq!(EncodeError::converter("unknown player").kind(), ErrorKind::Converter);
    /// ```
    #[must_use]
    pub const fn converter(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Converter, problem))
    }

    /// Sets the cause of this error, which [`source`](Error::source) returns.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use std::error::Error;
    /// use datagrammar::EncodeError;
    ///
    /// let error = EncodeError::codec("name is too long").with_source("name is 300 bytes, limit is 255");
    ///
    /// assert_eq!(error.source().unwrap().to_string(), "name is 300 bytes, limit is 255");
    /// ```
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> Self {
        Self(self.0.with_source(source.into()))
    }

    /// Returns which part of the protocol refused the packet.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, ErrorKind, TextLine};
    ///
    /// let mut datagram = Vec::new();
    /// let error = TextLine::new().encode(&"é".to_owned(), &mut datagram).unwrap_err();
    ///
    /// assert_eq!(error.kind(), ErrorKind::Codec);
    /// ```
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.problem)
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// The part of a protocol that refused a packet or a datagram.
///
/// More kinds may be added, so a `match` needs a `_` arm.
///
/// # Examples
///
/// A datagram with a wrong prefix was not made for this protocol. A datagram with a correct prefix
/// and invalid text is the result of a bug in the sender:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, ErrorKind, Prefix, Text};
///
/// let protocol = Text.layer(Prefix::new(*b"QZ"));
///
/// let is_bug = |datagram: &[u8]| match protocol.decode(datagram) {
///     Ok(_) => false,
///     Err(error) => error.kind() != ErrorKind::Layer,
/// };
///
/// assert!(!is_bug(b"GET /"));
/// assert!(is_bug(b"QZ\xff"));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A codec: the bytes or the packet do not fit the format.
    Codec,

    /// A layer: the bytes that it adds are wrong. For example, a signature does not match.
    Layer,

    /// A converter: the format is correct, but your code refuses the packet.
    Converter,
}

#[derive(Debug)]
struct Fault {
    kind: ErrorKind,
    problem: &'static str,
    source: Option<BoxError>,
}

impl Fault {
    const fn new(kind: ErrorKind, problem: &'static str) -> Self {
        Self { kind, problem, source: None }
    }

    fn with_source(self, source: BoxError) -> Self {
        Self { source: Some(source), ..self }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
