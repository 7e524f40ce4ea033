//! The error of sockets that another process does not hand over.

use std::{error::Error, fmt, io};

/// The error of a server that does not get the sockets of another process ([`TakeOver`](crate::TakeOver)).
///
/// # Examples
///
/// ```
/// use datagrammar::{BindError, Server, TakeOver, TakeOverError, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let nobody = TakeOver::from("/no such directory/hand-over.sock");
/// let error = Server::bind(nobody, Text, async |text: String| text).await.unwrap_err();
///
/// assert!(matches!(error, BindError::TakeOver(TakeOverError::Absent)));
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TakeOverError {
    /// No process listens at the path, and there is no other transport ([`TakeOver::or`](crate::TakeOver::or)).
    Absent,
    /// The process that listens there hands over to another one already, or has taken over from one that still has
    /// conversations. Try again later.
    Busy,
    /// Its server does not serve.
    NotServing,
    /// Its version of the messages is not the one of this process. Start this process without a hand-over.
    Version {
        /// The version of the process that listens there.
        theirs: u16,
        /// The version of this process.
        ours: u16,
    },
    /// It belongs to another user.
    OtherUser,
    /// More than one [`TakeOver`](crate::TakeOver) was given.
    Twice,
    /// It has ended before it has handed over, has sent something else, or a socket cannot be used.
    Io(io::Error),
}

impl TakeOverError {
    /// Returns the [`io::ErrorKind`] of the error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Absent => io::ErrorKind::NotFound,
            Self::Busy => io::ErrorKind::ResourceBusy,
            Self::NotServing => io::ErrorKind::ConnectionRefused,
            Self::Version { .. } => io::ErrorKind::Unsupported,
            Self::OtherUser => io::ErrorKind::PermissionDenied,
            Self::Twice => io::ErrorKind::InvalidInput,
            Self::Io(error) => error.kind(),
        }
    }
}

impl fmt::Display for TakeOverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot take over the sockets: ")?;
        match self {
            Self::Absent => f.write_str("no process hands over at that path"),
            Self::Busy => f.write_str("a hand-over is in progress already"),
            Self::NotServing => f.write_str("the other process does not serve"),
            Self::Version { theirs, ours } => {
                write!(
                    f,
                    "the other process has version {theirs} of the messages, this one has {ours}"
                )
            }
            Self::OtherUser => f.write_str("the other process belongs to another user"),
            Self::Twice => f.write_str("a server takes over once"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for TakeOverError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for TakeOverError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::OtherUser,
            _ => Self::Io(error),
        }
    }
}
