//! An option of a transport that cannot be set.

use std::{error::Error, fmt, io};

/// An option of a transport that cannot be set, and why.
///
/// It prints the name of the option and what is wrong: ``the option `ttl` is 0, the range is 1 to 255``.
#[derive(Debug)]
pub struct OptionError {
    name: &'static str,
    problem: String,
    kind: io::ErrorKind,
}

impl OptionError {
    /// An option that the caller must not set so.
    pub(crate) fn invalid(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into(), kind: io::ErrorKind::InvalidInput }
    }

    /// An option that this system does not have.
    pub(crate) fn unsupported(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into(), kind: io::ErrorKind::Unsupported }
    }

    /// An option that the system refused.
    pub(crate) fn refused(name: &'static str, cause: &io::Error) -> Self {
        Self { name, problem: format!("cannot be set: {cause}"), kind: cause.kind() }
    }

    /// Returns the name of the option, which is that of its setter.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the kind of the error: [`InvalidInput`](io::ErrorKind::InvalidInput) for a value out of range
    /// or an option that does not go with the others, [`Unsupported`](io::ErrorKind::Unsupported) for one that
    /// this system does not have, else that of the system.
    #[must_use]
    pub const fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the option `{}` {}", self.name, self.problem)
    }
}

impl Error for OptionError {}

impl From<OptionError> for io::Error {
    /// An error of the same kind.
    fn from(error: OptionError) -> Self {
        Self::new(error.kind, error)
    }
}
