//! A buffer per thread, for one encoded datagram.

use std::{
    cell::Cell,
    mem,
    ops::{Deref, DerefMut},
};

use crate::{EncodeError, SendError};

/// One encoded datagram in the buffer of this thread. The drop returns the buffer to the thread.
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    /// Holds the datagram that `encode` writes, unless it fails or writes more than `max` bytes.
    pub(crate) fn encode(
        max: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<Self, SendError> {
        let mut scratch = Self(SCRATCH.take());
        scratch.0.clear();
        encode(&mut scratch.0).map_err(SendError::Encode)?;
        let len = scratch.len();
        if len > max { Err(SendError::TooLarge { len, max }) } else { Ok(scratch) }
    }
}

impl Deref for Scratch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A buffer that is larger than any datagram is freed.
        const KEPT: usize = 128 * 1024;

        if self.0.capacity() <= KEPT {
            // A thread that is ending needs no buffer.
            let _ = SCRATCH.try_with(|scratch| scratch.set(mem::take(&mut self.0)));
        }
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::LONGEST;

    fn encode(bytes: usize) -> Result<Scratch, SendError> {
        Scratch::encode(LONGEST, |datagram| {
            datagram.resize(bytes, 0);
            Ok(())
        })
    }

    // S-6
    #[test]
    fn a_buffer_is_used_again_unless_it_is_larger_than_any_datagram() {
        let usual = encode(1_000).unwrap().0.as_ptr();
        assert_eq!(encode(500).unwrap().0.as_ptr(), usual);

        assert!(matches!(encode(1_000_000), Err(SendError::TooLarge { len: 1_000_000, .. })));

        assert!(encode(500).unwrap().0.capacity() < 1_000_000);
    }
}
