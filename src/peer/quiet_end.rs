//! What a handler may pass on and still end its conversation quietly.

use crate::RecvError;

/// What ends a conversation quietly, if its handler passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuietEnd {
    /// [`RecvError::Closed`]
    Closed,
    /// [`RecvError::Idle`]
    Idle,
}

impl QuietEnd {
    pub(crate) const ALL: [Self; 2] = [Self::Idle, Self::Closed];

    /// What `recv` says.
    pub(crate) const fn error(self) -> RecvError {
        match self {
            Self::Closed => RecvError::Closed,
            Self::Idle => RecvError::Idle,
        }
    }

    /// Whether an error of `recv` is this.
    pub(crate) const fn is(self, error: &RecvError) -> bool {
        matches!((self, error), (Self::Closed, RecvError::Closed) | (Self::Idle, RecvError::Idle))
    }
}
