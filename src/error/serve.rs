//! Why serving ended.

use std::{error::Error, fmt, io};

use crate::BoxError;

/// Why serving ended, or did not begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The server is serving already, and goes on.
    AlreadyServing,
    /// [`Handler::start`](crate::Handler::start) failed with this error.
    Start(BoxError),
    /// A socket can never receive again.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyServing => "the server is serving already",
            Self::Start(_) => "the handler could not start",
            Self::Io(_) => "a socket can never receive again",
        })
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyServing => None,
            Self::Start(error) => Some(&**error),
            Self::Io(error) => Some(error),
        }
    }
}
