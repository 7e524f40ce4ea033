use crate::{EncodeError, SendError};
use std::{cell::Cell, mem, ops::Deref};

/// One encoded datagram in a buffer of the thread, which is given back when this is dropped.
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    /// Holds what `encode` writes, unless it fails or writes more than `max` octets.
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

impl Drop for Scratch {
    fn drop(&mut self) {
        SCRATCH.set(mem::take(&mut self.0));
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
