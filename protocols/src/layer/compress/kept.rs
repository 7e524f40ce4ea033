//! Compression contexts that a thread reuses for the next datagram.

use std::cell::Cell;

/// A value that each thread creates once, and lends for one datagram after another.
///
/// The state of a compressor takes up to some hundred KiB. Allocating and clearing it takes longer
/// than compressing a datagram. The borrower resets the value first, so nothing of one datagram
/// reaches the next. If the value is lent already, or was lost in a panic, another one is created.
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
