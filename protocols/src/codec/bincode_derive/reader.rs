//! A reader for bincode's decoder that stops where a datagram nests too deep.

use bincode::{de::read::Reader, error::DecodeError};

/// The bytes of a datagram that are not read yet, and the stack that reading them may take.
///
/// bincode has no limit of depth, and its decoder does not say where a level begins. But it calls the reader
/// in each level, and how deep that call is can be seen from the address of a local variable.
pub(super) struct StackReader<'a> {
    unread: &'a [u8],
    start: usize,
    limit: usize,
}

impl<'a> StackReader<'a> {
    /// Creates the reader where decoding starts: the stack is measured from here.
    #[inline]
    pub(super) fn new(datagram: &'a [u8], limit: usize) -> Self {
        Self { unread: datagram, start: stack_address(), limit }
    }

    /// Returns how many bytes are left.
    pub(super) const fn left(&self) -> usize {
        self.unread.len()
    }

    #[inline]
    fn is_too_deep(&self) -> bool {
        // Miri gives each variable an address of its own choice.
        !cfg!(miri) && stack_address().abs_diff(self.start) > self.limit
    }
}

impl Reader for StackReader<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), DecodeError> {
        if self.is_too_deep() {
            return Err(DecodeError::Other(TOO_DEEP));
        }
        let Some((read, unread)) = self.unread.split_at_checked(bytes.len()) else {
            return Err(DecodeError::UnexpectedEnd { additional: bytes.len() - self.unread.len() });
        };
        bytes.copy_from_slice(read);
        self.unread = unread;
        Ok(())
    }

    /// Returns nothing where it is too deep: bincode calls `read` then, which says so.
    #[inline]
    fn peek_read(&mut self, len: usize) -> Option<&[u8]> {
        if self.is_too_deep() {
            return None;
        }
        self.unread.get(..len)
    }

    #[inline]
    fn consume(&mut self, len: usize) {
        self.unread = self.unread.get(len..).unwrap_or_default();
    }
}

#[inline(always)]
fn stack_address() -> usize {
    let here = 0_u8;
    // cargo-fuzz builds with AddressSanitizer, which moves variables off the stack to find their use after
    // return. It leaves those of functions with inline assembly where they are, and `black_box` is such.
    let here = if cfg!(fuzzing) { std::hint::black_box(&here) } else { &here };
    std::ptr::from_ref(here).addr()
}

/// The text of the error of a reader that was too deep.
pub(super) const TOO_DEEP: &str = "stack limit reached";
