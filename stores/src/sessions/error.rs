//! Why a call of a session store fails.

use std::{error::Error, fmt, time::Duration};

use datagrammar::{DecodeError, EncodeError};

use crate::StoreError;

/// Why a call of [`Sessions`](super::Sessions) failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The state was created, stored or removed by somebody else meanwhile.
    Conflict,
    /// The store failed.
    Store(StoreError),
    /// The store has not answered within this time.
    TimedOut(Duration),
    /// The encoded state is too long.
    TooLong {
        /// Its length, in bytes.
        len: usize,
        /// The limit: [`Sessions::max_len`](super::Sessions::max_len).
        limit: usize,
    },
    /// The state has another version.
    Version {
        /// The version that is stored.
        found: u16,
        /// That of this program: [`Sessions::version`](super::Sessions::version).
        version: u16,
    },
    /// The state cannot be decoded.
    Decode(DecodeError),
    /// The state cannot be encoded.
    Encode(EncodeError),
}

impl SessionError {
    /// Returns whether the store is down or too slow, so that nobody knows the state.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Store(StoreError::Engine(_)))
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("the session was changed meanwhile"),
            Self::Store(_) => f.write_str("the session store failed"),
            Self::TimedOut(limit) => write!(f, "no answer of the store within {limit:?}"),
            Self::TooLong { len, limit } => {
                write!(f, "state of the session is {len} bytes, limit is {limit}")
            }
            Self::Version { found, version } => {
                write!(f, "state of the session has version {found}, this program has {version}")
            }
            Self::Decode(_) => f.write_str("invalid state of a session"),
            Self::Encode(_) => f.write_str("the state of a session cannot be encoded"),
        }
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Decode(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::Conflict | Self::TimedOut(_) | Self::TooLong { .. } | Self::Version { .. } => {
                None
            }
        }
    }
}
