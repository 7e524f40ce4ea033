//! Waits until a socket is ready.

#[cfg(unix)]
mod poll;
#[cfg(any(not(unix), test))]
mod sleep;

#[cfg(unix)]
pub(super) use poll::wait;
#[cfg(not(unix))]
pub(super) use sleep::wait;

/// The event to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    Readable,
    Writable,
}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// The socket may be ready.
    Ready,
    /// The socket was shut down, so it counts as ready forever.
    #[cfg_attr(not(unix), expect(dead_code, reason = "a system without `poll` does not report it"))]
    ShutDown,
    TimedOut,
}
