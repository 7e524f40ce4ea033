//! Contexts that a thread keeps for the next datagram.

use std::cell::Cell;

/// A value that each thread makes once and lends for one datagram after the other.
///
/// The state of a compressor is up to some hundred KiB: to allocate and clear it takes longer than
/// to compress a datagram. The borrower resets it first, so nothing of a datagram reaches the
/// next. While it is lent, or after a panic, another one is made.
pub(super) struct Kept<T>(Cell<Option<T>>);

impl<T> Kept<T> {
    pub(super) const fn new() -> Self {
        Self(Cell::new(None))
    }

    pub(super) fn lend<R>(&self, make: impl FnOnce() -> T, run: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.take().unwrap_or_else(make);
        let result = run(&mut value);
        self.0.set(Some(value));
        result
    }
}
