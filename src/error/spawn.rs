//! Why a background task was not started.

use std::{error::Error, fmt};

/// Why a background task was not started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// The server is not serving: nothing would ever end the task.
    Closed,
    /// As many tasks run as [`Limits::max_tasks`](crate::Limits::max_tasks) allows.
    #[non_exhaustive]
    TooMany {
        /// How many may run.
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
