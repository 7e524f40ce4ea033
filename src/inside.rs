//! Records which server's code is polled on this thread, so that it does not wait for its own end.

use std::cell::Cell;

/// Calls `poll` and marks this thread as inside the server with this number. `poll` must not unwind.
pub(crate) fn inside<T>(server: u64, poll: impl FnOnce() -> T) -> T {
    let outside = INSIDE.replace(server);
    let polled = poll();
    INSIDE.set(outside);
    polled
}

thread_local! {
    /// The number of the server whose conversation or clean-up is polled on this thread; 0 means none.
    static INSIDE: Cell<u64> = const { Cell::new(0) };
}

/// The number of the server whose code is polled on this thread right now; 0 if there is none.
#[cfg(feature = "blocking")]
pub(crate) fn current() -> u64 {
    INSIDE.get()
}

/// Whether a conversation or a clean-up of the server with this number is polled on this thread right now.
pub(crate) fn is_inside(server: u64) -> bool {
    INSIDE.get() == server
}
