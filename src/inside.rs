//! Whether a part of a server is polled on this thread, so that it does not wait for itself.

use std::cell::Cell;

/// Polls a part of the server with this number, which must not unwind.
pub(crate) fn inside<T>(server: u64, poll: impl FnOnce() -> T) -> T {
    let outside = INSIDE.replace(server);
    let polled = poll();
    INSIDE.set(outside);
    polled
}

thread_local! {
    /// The server of which a part is polled on this thread that waits for nothing of the end; 0 is none.
    static INSIDE: Cell<u64> = const { Cell::new(0) };
}

/// Whether a conversation or a clean-up of the server with this number is polled here and now.
pub(crate) fn is_inside(server: u64) -> bool {
    INSIDE.get() == server
}
