//! The error of a socket that no parent process has passed, or that cannot be used.

use std::{error::Error, fmt, io, os::fd::RawFd};

/// The error of an [`Inherited`](crate::Inherited) socket that cannot be used.
///
/// `Display` shows which environment variable or descriptor is wrong, and what is wrong with it:
/// `the inherited descriptor 3 is not a socket`.
///
/// # Examples
///
/// ```
/// use datagrammar::{BindError, Inherited, Server, Text};
/// use std::io::ErrorKind;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # if Inherited::is_available() { return }
/// let echo = async |text: String| text;
/// let error = Server::bind(Inherited::named("dns"), Text, echo).await.unwrap_err();
///
/// let BindError::Inherited(error) = error else { panic!("{error}") };
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// # }
/// ```
#[derive(Debug)]
pub struct InheritedError {
    problem: String,
    kind: io::ErrorKind,
}

impl InheritedError {
    /// The error of a socket that was not passed to this process.
    pub(crate) fn absent(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), kind: io::ErrorKind::NotFound }
    }

    /// The error of environment variables that make no sense.
    pub(crate) fn invalid(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), kind: io::ErrorKind::InvalidInput }
    }

    /// The error of a descriptor that was handed out before.
    pub(crate) fn taken(fd: RawFd) -> Self {
        let problem = format!("the inherited descriptor {fd} is already in use by this program");
        Self { problem, kind: io::ErrorKind::ResourceBusy }
    }

    /// The error of a descriptor that is not a socket that this crate can use.
    pub(crate) fn unusable(fd: RawFd, problem: impl fmt::Display) -> Self {
        Self::invalid(format!("the inherited descriptor {fd} {problem}"))
    }

    /// The error of a descriptor about which the system reported an error.
    pub(crate) fn failed(fd: RawFd, cause: &io::Error) -> Self {
        let problem = format!("the inherited descriptor {fd} cannot be used: {cause}");
        Self { problem, kind: cause.kind() }
    }

    /// Returns the [`io::ErrorKind`] of the error: [`NotFound`](io::ErrorKind::NotFound) if no such socket
    /// was passed to this process, [`ResourceBusy`](io::ErrorKind::ResourceBusy) if the program already uses
    /// the socket, [`InvalidInput`](io::ErrorKind::InvalidInput) if the environment is invalid or the
    /// descriptor is not a datagram socket of a known family, otherwise the kind of the system's error.
    #[must_use]
    pub const fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl fmt::Display for InheritedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for InheritedError {}

impl From<InheritedError> for io::Error {
    /// Makes an `io::Error` of the same kind.
    fn from(error: InheritedError) -> Self {
        Self::new(error.kind, error)
    }
}
