//! The error of a limit that cannot be set.

use std::{error::Error, fmt};

/// A limit that cannot be set: the error of [`ServerHandle::set_limits`](crate::ServerHandle::set_limits) and
/// [`ServerHandle::set_guard`](crate::ServerHandle::set_guard), after which nothing has changed, and a part of
/// [`BindError`](crate::BindError).
///
/// # Examples
///
/// ```
/// use datagrammar::{LimitError, Limits, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
///
/// let error = server.handle().set_limits(Limits::default().max_conversations(0)).unwrap_err();
/// assert!(matches!(error, LimitError::Zero("max_conversations")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitError {
    /// The limit with this name is 0, which is not allowed. See [`Limits`](crate::Limits) for those that may be 0.
    Zero(&'static str),
    /// The limit with this name is too small for the packets of [`Chunked`](crate::Chunked).
    #[non_exhaustive]
    TooSmall {
        /// The name of the limit.
        limit: &'static str,
        /// Its value, in bytes.
        value: usize,
        /// The smallest value that is large enough, in bytes.
        needed: usize,
    },
    /// The limit with this name cannot change once the server is bound.
    #[non_exhaustive]
    Fixed {
        /// The name of the limit.
        limit: &'static str,
        /// The value that it has.
        value: usize,
    },
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero(limit) => write!(f, "the limit `{limit}` is 0, it must be larger"),
            Self::TooSmall { limit, value, needed } => {
                write!(f, "the limit `{limit}` is {value}, and packets in chunks need {needed}")
            }
            Self::Fixed { limit, value } => {
                write!(
                    f,
                    "the limit `{limit}` is {value}, and cannot change once the server is bound"
                )
            }
        }
    }
}

impl Error for LimitError {}
