//! The errors of `recv` and `request` that a handler may return without having failed.

use std::error::Error;

use crate::{DecodeError, PeerRequestError, RecvError, events::caused_by};

/// An error of `recv` or `request` that a handler may return without having failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuietEnd {
    /// [`RecvError::Closed`], [`PeerRequestError::Closed`]
    Closed,
    /// [`RecvError::Idle`], [`PeerRequestError::TimedOut`]
    Idle,
    /// [`RecvError::Decode`], [`PeerRequestError::Decode`]
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
                    || caused_by(error, |error| matches!(error, PeerRequestError::Closed))
            }
            Self::Idle => {
                caused_by(error, |error| matches!(error, RecvError::Idle))
                    || caused_by(error, |error| matches!(error, PeerRequestError::TimedOut { .. }))
            }
            // Also the protocol's error alone, which is the source of the error of `recv`.
            Self::Undecodable => caused_by(error, |_: &DecodeError| true),
        }
    }
}
