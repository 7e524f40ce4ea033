//! What a handler may pass on without having failed.

use std::error::Error;

use crate::{DecodeError, RecvError, events::caused_by};

/// What `recv` has reported, and no fault of the handler that passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuietEnd {
    /// [`RecvError::Closed`]
    Closed,
    /// [`RecvError::Idle`]
    Idle,
    /// [`RecvError::Decode`]
    Undecodable,
}

impl QuietEnd {
    pub(super) const ALL: [Self; 3] = [Self::Idle, Self::Closed, Self::Undecodable];

    /// An error of `recv` with the text of this one.
    pub(super) fn error(self) -> RecvError {
        match self {
            Self::Closed => RecvError::Closed,
            Self::Idle => RecvError::Idle,
            Self::Undecodable => RecvError::Decode(DecodeError::codec("")),
        }
    }

    /// Whether `error` is this, or has it among its sources.
    pub(super) fn is_in(self, error: &(dyn Error + 'static)) -> bool {
        match self {
            Self::Closed => caused_by(error, |error| matches!(error, RecvError::Closed)),
            Self::Idle => caused_by(error, |error| matches!(error, RecvError::Idle)),
            // The error of the protocol alone, too: it is the source of that of `recv`.
            Self::Undecodable => caused_by(error, |_: &DecodeError| true),
        }
    }
}
