//! Why a call of a store fails.

use std::{error::Error, fmt, time::Duration};

use datagrammar::BoxError;

/// Why a call of a [`Store`](crate::Store) failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The engine could not be reached, or has refused the call. Its error is the source.
    Engine(BoxError),
    /// The engine does not keep entries for so long.
    Ttl {
        /// How long the entry should live.
        ttl: Duration,
        /// The longest time of the engine.
        limit: Duration,
    },
    /// What the engine has for this key was not written by this crate.
    Malformed,
}

impl StoreError {
    /// Makes the error of an engine, for a [`Store`](crate::Store) of your own.
    pub fn engine(error: impl Into<BoxError>) -> Self {
        Self::Engine(error.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(_) => f.write_str("the store is not available"),
            Self::Ttl { ttl, limit } => write!(f, "time to live is {ttl:?}, limit is {limit:?}"),
            Self::Malformed => f.write_str("an entry of the store has an unknown format"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Engine(error) => Some(&**error),
            Self::Ttl { .. } | Self::Malformed => None,
        }
    }
}
