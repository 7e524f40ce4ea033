//! The error of a client that was not connected.

use std::{error::Error, fmt, io};

#[cfg(unix)]
use super::InheritedError;
use super::{AddrError, OptionError, addr};

/// The error of [`Client::connect`](crate::Client::connect) and
/// [`ClientBuilder::connect`](crate::ClientBuilder::connect).
///
/// It converts into an [`io::Error`] of the same [`kind`](Self::kind), so `?` works in functions that return
/// `io::Result`.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, ConnectError, Text};
/// use std::io::ErrorKind;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = Client::connect("127.0.0.1:port", Text).await.unwrap_err();
/// assert!(matches!(error, ConnectError::Addrs(_)));
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The client can use none of the addresses. This is one error for each; the list is not empty.
    Addrs(Vec<AddrError>),
    /// A [blocking client](crate::blocking::Client) cannot be used inside an async runtime. The closure of
    /// `tokio::task::spawn_blocking` counts as inside. Use [`Client`](crate::Client), or a thread of your
    /// own.
    InsideRuntime,
    /// An option of a transport cannot be set.
    Option(OptionError),
    /// An [`Inherited`](crate::Inherited) socket cannot be used, or there is none.
    #[cfg(unix)]
    Inherited(InheritedError),
    /// The socket that you passed to `connect` or `Udp::from` cannot be used.
    Io(io::Error),
}

impl ConnectError {
    /// The errors of some addresses, or the error of an option that all of them have.
    pub(crate) fn addrs(errors: Vec<AddrError>) -> Self {
        addr::of_option(errors).map_or_else(Self::Addrs, Self::Option)
    }

    /// Returns the [`io::ErrorKind`] of the error. If there are several addresses, returns the kind of the
    /// first.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Addrs(errors) => addr::kind(errors),
            Self::InsideRuntime => io::ErrorKind::Unsupported,
            Self::Option(error) => error.kind(),
            #[cfg(unix)]
            Self::Inherited(error) => error.kind(),
            Self::Io(error) => error.kind(),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addrs(errors) => addr::list(errors, f),
            Self::InsideRuntime => f.write_str(CLIENT_INSIDE_RUNTIME),
            Self::Option(error) => error.fmt(f),
            #[cfg(unix)]
            Self::Inherited(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Addrs(_) | Self::InsideRuntime => None,
            Self::Option(error) => error.source(),
            #[cfg(unix)]
            Self::Inherited(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<ConnectError> for io::Error {
    /// Makes an `io::Error` of the same kind.
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Io(error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}

pub(super) const CLIENT_INSIDE_RUNTIME: &str = "a blocking client cannot be used inside an async runtime: \
    use `datagrammar::Client`, or start a thread";

impl From<OptionError> for ConnectError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

#[cfg(unix)]
impl From<InheritedError> for ConnectError {
    fn from(error: InheritedError) -> Self {
        Self::Inherited(error)
    }
}

impl From<io::Error> for ConnectError {
    /// An `io::Error` that contains an [`OptionError`] becomes [`ConnectError::Option`].
    fn from(error: io::Error) -> Self {
        error.downcast().map_or_else(Self::Io, Self::Option)
    }
}
