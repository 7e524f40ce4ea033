//! Why a client was not connected.

use std::{error::Error, fmt, io};

use super::{AddrError, OptionError, addr};

/// Why a client was not connected.
///
/// It converts into an [`io::Error`] of the same [`kind`](Self::kind), for programs that have one error type
/// for all of their I/O.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// No address works: what is wrong with each. There is at least one.
    Addrs(Vec<AddrError>),
    /// An option of a transport cannot be set.
    Option(OptionError),
    /// The socket of the caller's cannot be used.
    Io(io::Error),
}

impl ConnectError {
    /// What is wrong with some addresses, or with an option that all of them have.
    pub(crate) fn addrs(errors: Vec<AddrError>) -> Self {
        addr::of_option(errors).map_or_else(Self::Addrs, Self::Option)
    }

    /// Returns the kind of the error; of several addresses, that of the first.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Addrs(errors) => addr::kind(errors),
            Self::Option(error) => error.kind(),
            Self::Io(error) => error.kind(),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addrs(errors) => addr::list(errors, f),
            Self::Option(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Addrs(_) => None,
            Self::Option(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<ConnectError> for io::Error {
    /// An error of the same kind.
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Io(error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}

impl From<OptionError> for ConnectError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

impl From<io::Error> for ConnectError {
    /// The error of an option stays one.
    fn from(error: io::Error) -> Self {
        error.downcast().map_or_else(Self::Io, Self::Option)
    }
}
