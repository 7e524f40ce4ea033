//! The errors of `recv` and `exchange` that a handler may return without having failed.

use std::error::Error;

use crate::{DecodeError, PeerExchangeError, RecvError, events::caused_by};

/// An error of `recv` or `exchange` that a handler may return without having failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuietEnd {
    /// [`RecvError::Closed`], [`PeerExchangeError::Closed`]
    Closed,
    /// [`RecvError::Idle`], [`PeerExchangeError::TimedOut`]
    Idle,
    /// [`RecvError::Decode`], [`PeerExchangeError::Decode`]
    Undecodable,
}

impl QuietEnd {
    pub(super) const ALL: [Self; 3] = [Self::Idle, Self::Closed, Self::Undecodable];

    /// An error of `recv` that has the same text.
    pub(super) fn error(self) -> RecvError {
        match self {
            Self::Closed => RecvError::Closed,
            Self::Idle => RecvError::Idle,
            Self::Undecodable => RecvError::Decode(DecodeError::codec("")),
        }
    }

    /// Whether `error` is this error, or has it among its sources.
    pub(super) fn is_in(self, error: &(dyn Error + 'static)) -> bool {
        match self {
            Self::Closed => {
                caused_by(error, |error| matches!(error, RecvError::Closed))
                    || caused_by(error, |error| matches!(error, PeerExchangeError::Closed))
            }
            Self::Idle => {
                caused_by(error, |error| matches!(error, RecvError::Idle))
                    || caused_by(error, |error| matches!(error, PeerExchangeError::TimedOut { .. }))
            }
            // Also the protocol's error alone, which is the source of the error of `recv`.
            Self::Undecodable => caused_by(error, |_: &DecodeError| true),
        }
    }
}
