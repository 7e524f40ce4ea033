//! What goes wrong between packets and bytes.
//!
//! Both types are opaque so that protocols can be put around each other without an error type per
//! level, and cheap because strangers choose how often they are made: without a source, nothing is
//! allocated.

use std::{error::Error, fmt};

/// Any error, boxed, as converters and handlers return it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Tells that a datagram is not a packet.
///
/// `Display` says what is wrong, in words fixed at compile time: it never repeats a byte of
/// the datagram, so it is fit for a log. The [source](Error::source), if there is one, may quote
/// the datagram.
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, ErrorKind, Text};
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
    #[must_use]
    pub const fn codec(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Codec, problem))
    }

    /// Creates the error of a layer: the bytes around the inner protocol's are not as agreed.
    #[must_use]
    pub const fn layer(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Layer, problem))
    }

    /// Creates the error of a converter: the codec understood the packet, the domain refuses it.
    #[must_use]
    pub const fn converter(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Converter, problem))
    }

    /// Adds what caused this error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    /// use datagrammar_protocols::DecodeError;
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

/// Tells that a packet cannot be written as a datagram.
///
/// As with [`DecodeError`], `Display` is fixed at compile time and the details are in the
/// [source](Error::source).
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{EncodeError, ErrorKind};
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
    #[must_use]
    pub const fn codec(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Codec, problem))
    }

    /// Creates the error of a layer: it cannot wrap the bytes of the inner protocol.
    #[must_use]
    pub const fn layer(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Layer, problem))
    }

    /// Creates the error of a converter: the domain refuses to send the packet.
    #[must_use]
    pub const fn converter(problem: &'static str) -> Self {
        Self(Fault::new(ErrorKind::Converter, problem))
    }

    /// Adds what caused this error.
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> Self {
        Self(self.0.with_source(source.into()))
    }

    /// Returns which part of the protocol refused the packet.
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

/// Which part of a protocol refused a packet or a datagram.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A codec: the bytes or the packet do not fit the format.
    Codec,

    /// A layer: the bytes around those of the codec are not as agreed, a signature for example.
    Layer,

    /// A converter: the format was fine, but the packet means nothing valid.
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
