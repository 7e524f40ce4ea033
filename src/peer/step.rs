//! How far a `recv` has come, and what ends it.

use std::time::Duration;

use tokio::time::Instant;

use crate::RecvError;

/// The progress of a `recv`. It reads the clock only if it has to wait.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// It may wait for this long.
    Within(Duration),
    /// It may wait until this time.
    Until(Instant),
    /// It may wait until this time, and the idle timeout does not apply.
    Undisturbed(Instant),
    /// It waits for a datagram or the timer.
    Waiting(Limit),
    /// The timer has elapsed. It waits until the worker has read the socket in this round.
    Rereading(Limit, u64),
}

/// The limit of a `recv` that waits.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    None,
    Timeout,
    Idle,
}

impl Limit {
    pub(super) const fn error(self) -> RecvError {
        match self {
            Self::None | Self::Timeout => RecvError::TimedOut,
            Self::Idle => RecvError::Idle,
        }
    }
}
