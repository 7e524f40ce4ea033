//! The error of a server that was not bound.

use std::{error::Error, fmt, io};

use super::{AddrError, LimitError, OptionError, addr};
#[cfg(unix)]
use super::{InheritedError, TakeOverError};

/// The error of [`Server::bind`](crate::Server::bind) and
/// [`ServerBuilder::bind`](crate::ServerBuilder::bind). After it nothing is bound.
///
/// It converts into an [`io::Error`] of the same [`kind`](Self::kind), so `?` works in functions that return
/// `io::Result`.
///
/// # Examples
///
/// ```
/// use datagrammar::{BindError, Server, Text};
/// use std::io::ErrorKind;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BindError> {
/// let echo = async |text: String| text;
/// let first = Server::bind("127.0.0.1:0", Text, echo).await?;
///
/// let error = Server::bind(first.local_addr(), Text, echo).await.unwrap_err();
/// assert!(matches!(error, BindError::Addrs(_)));
/// assert_eq!(error.kind(), ErrorKind::AddrInUse);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// These addresses or paths cannot be bound. There is no problem with the other addresses. The list is not empty.
    Addrs(Vec<AddrError>),
    /// A [blocking server](crate::blocking::Server) cannot be bound inside an async runtime. The closure of
    /// `tokio::task::spawn_blocking` counts as inside. Use [`Server`](crate::Server), or a thread of your
    /// own.
    InsideRuntime,
    /// A limit is 0, or too small for the packets of [`Chunked`](crate::Chunked).
    Limit(LimitError),
    /// An option of a transport cannot be set.
    Option(OptionError),
    /// An [`Inherited`](crate::Inherited) socket cannot be used, or there is none.
    #[cfg(unix)]
    Inherited(InheritedError),
    /// Another process does not [hand over](crate::TakeOver) its sockets.
    #[cfg(unix)]
    TakeOver(TakeOverError),
    /// The socket that you passed to `bind`, `Udp::from` or `Unix::from` cannot be used, or a thread could not be
    /// started.
    Io(io::Error),
}

impl BindError {
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
            Self::Limit(_) => io::ErrorKind::InvalidInput,
            Self::Option(error) => error.kind(),
            #[cfg(unix)]
            Self::Inherited(error) => error.kind(),
            #[cfg(unix)]
            Self::TakeOver(error) => error.kind(),
            Self::Io(error) => error.kind(),
        }
    }
}

impl From<LimitError> for BindError {
    fn from(error: LimitError) -> Self {
        Self::Limit(error)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addrs(errors) => addr::list(errors, f),
            Self::InsideRuntime => f.write_str(SERVER_INSIDE_RUNTIME),
            Self::Limit(error) => error.fmt(f),
            Self::Option(error) => error.fmt(f),
            #[cfg(unix)]
            Self::Inherited(error) => error.fmt(f),
            #[cfg(unix)]
            Self::TakeOver(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Addrs(_) | Self::InsideRuntime | Self::Limit(_) => None,
            Self::Option(error) => error.source(),
            #[cfg(unix)]
            Self::Inherited(error) => error.source(),
            #[cfg(unix)]
            Self::TakeOver(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<BindError> for io::Error {
    /// Makes an `io::Error` of the same kind.
    fn from(error: BindError) -> Self {
        match error {
            BindError::Io(error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}

pub(super) const SERVER_INSIDE_RUNTIME: &str = "a blocking server cannot be used inside an async runtime: \
    use `datagrammar::Server`, or start a thread";

impl From<OptionError> for BindError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

#[cfg(unix)]
impl From<InheritedError> for BindError {
    fn from(error: InheritedError) -> Self {
        Self::Inherited(error)
    }
}

#[cfg(unix)]
impl From<TakeOverError> for BindError {
    fn from(error: TakeOverError) -> Self {
        Self::TakeOver(error)
    }
}

impl From<io::Error> for BindError {
    /// An `io::Error` that contains an [`OptionError`] becomes [`BindError::Option`].
    fn from(error: io::Error) -> Self {
        error.downcast().map_or_else(Self::Io, Self::Option)
    }
}
