//! The error of an option of a transport that cannot be set.

use std::{error::Error, fmt, io};

/// The error of an option of a transport that cannot be set, such as an option of [`Udp`](crate::Udp).
///
/// `Display` shows the name of the option and what is wrong:
/// ``the option `ttl` is 0, the range is 1 to 255``.
///
/// # Examples
///
/// ```
/// use datagrammar::{BindError, Server, Text, Udp};
/// use std::io::ErrorKind;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let udp = Udp::new("127.0.0.1:0").ttl(0);
/// let error = Server::bind(udp, Text, async |text: String| text).await.unwrap_err();
///
/// let BindError::Option(error) = error else { panic!("{error}") };
/// assert_eq!((error.name(), error.kind()), ("ttl", ErrorKind::InvalidInput));
/// assert_eq!(error.to_string(), "the option `ttl` is 0, the range is 1 to 255");
/// # }
/// ```
#[derive(Debug)]
pub struct OptionError {
    name: &'static str,
    problem: String,
    kind: io::ErrorKind,
}

impl OptionError {
    /// The error of an option whose value is out of range, or that cannot be used with the other options.
    pub(crate) fn invalid(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into(), kind: io::ErrorKind::InvalidInput }
    }

    /// The error of an option that this system does not have.
    pub(crate) fn unsupported(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into(), kind: io::ErrorKind::Unsupported }
    }

    /// The error of an option that the system refused.
    pub(crate) fn refused(name: &'static str, cause: &io::Error) -> Self {
        Self { name, problem: format!("cannot be set: {cause}"), kind: cause.kind() }
    }

    /// Returns the name of the option, which is the name of its setter.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the [`io::ErrorKind`] of the error: [`InvalidInput`](io::ErrorKind::InvalidInput) for a value
    /// out of range or an option that cannot be used with the others,
    /// [`Unsupported`](io::ErrorKind::Unsupported) for an option that this system does not have, otherwise
    /// the kind of the system's error.
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
    /// Makes an `io::Error` of the same kind.
    fn from(error: OptionError) -> Self {
        Self::new(error.kind, error)
    }
}
