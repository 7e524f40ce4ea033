//! The error of a background task that was not started.

use std::{error::Error, fmt};

/// The error of [`Spawner::spawn`](crate::Spawner::spawn) and [`Peer::spawn`](crate::Peer::spawn).
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Peer, SpawnError};
///
/// /// Saves the text in the background, or answers that the server is busy.
/// async fn save(peer: &Peer<String, String>, text: String) -> Result<(), BoxError> {
///     let begun = peer.spawn(async move { Ok(tokio::fs::write("text", text).await?) });
///     match begun {
///         Err(SpawnError::TooMany { .. }) => peer.send("busy".to_owned()).await?,
///         begun => begun?,
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// The server does not serve. Tasks run only while it serves.
    Closed,
    /// [`Limits::max_tasks`](crate::Limits::max_tasks) tasks run already.
    #[non_exhaustive]
    TooMany {
        /// The limit.
        max: usize,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server is not serving"),
            Self::TooMany { max } => write!(f, "{max} background tasks run, the limit is {max}"),
        }
    }
}

impl Error for SpawnError {}
