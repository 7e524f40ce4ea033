//! Why a server was not bound.

use std::{error::Error, fmt, io};

use super::{AddrError, OptionError, addr};

/// Why a server was not bound. Nothing is bound then.
///
/// It converts into an [`io::Error`] of the same [`kind`](Self::kind), for programs that have one error type
/// for all of their I/O.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// These addresses cannot be bound; all others could be. There is at least one.
    Addrs(Vec<AddrError>),
    /// The [limit](crate::Limits) of this name is 0, with which nothing could ever be received or sent.
    ZeroLimit(&'static str),
    /// An option of a transport cannot be set.
    Option(OptionError),
    /// A socket of the caller's cannot be used, or a thread could not be started.
    Io(io::Error),
}

impl BindError {
    /// What is wrong with some addresses, or with an option that all of them have.
    pub(crate) fn addrs(errors: Vec<AddrError>) -> Self {
        addr::of_option(errors).map_or_else(Self::Addrs, Self::Option)
    }

    /// Returns the kind of the error; of several addresses, that of the first.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Addrs(errors) => addr::kind(errors),
            Self::ZeroLimit(_) => io::ErrorKind::InvalidInput,
            Self::Option(error) => error.kind(),
            Self::Io(error) => error.kind(),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addrs(errors) => addr::list(errors, f),
            Self::ZeroLimit(name) => write!(f, "the limit `{name}` is 0, with which nothing works"),
            Self::Option(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Addrs(_) | Self::ZeroLimit(_) => None,
            Self::Option(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<BindError> for io::Error {
    /// An error of the same kind.
    fn from(error: BindError) -> Self {
        match error {
            BindError::Io(error) => error,
            error => Self::new(error.kind(), error),
        }
    }
}

impl From<OptionError> for BindError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

impl From<io::Error> for BindError {
    /// The error of an option stays one.
    fn from(error: io::Error) -> Self {
        error.downcast().map_or_else(Self::Io, Self::Option)
    }
}
