//! The differences between formats of the packed family.

use crate::serde_format::{mismatch::Mismatch, unread::take};

/// The name under which serde knows `FixedText`. It is an array of bytes; a form of fixed sizes
/// takes the bytes at once.
pub(crate) const TEXT_FIELD: &str = "$datagrammar::FixedText";

/// How a format writes numbers, and which types it accepts.
pub(crate) trait Form {
    /// Whether signed integers are zigzag-coded: 0, -1, 1, -2, … become 0, 1, 2, 3, …
    const ZIGZAG: bool;

    /// Whether a character is text after its length, or only the bytes of its UTF-8.
    const CHARS_ARE_TEXT: bool;

    /// Whether each type must have a fixed size, so that the layout of a packet depends on its type
    /// only. Other types are refused.
    const SIZED: bool = false;

    /// Appends a number of a type of 2, 4 or 8 `BYTES`. The higher bytes of `number` are ignored.
    fn put<const BYTES: usize>(number: u64, datagram: &mut Vec<u8>);

    /// Appends a number of a type of 16 bytes.
    fn put_wide(number: u128, datagram: &mut Vec<u8>);

    /// Takes a number of a type of 2, 4 or 8 `BYTES`, and refuses a number out of its range.
    fn take<const BYTES: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch>;

    /// Takes a number of a type of 16 bytes.
    fn take_wide(unread: &mut &[u8]) -> Result<u128, Mismatch>;

    /// Appends a float or a number of one byte. It is given with the least significant byte first.
    #[inline]
    fn put_plain<const BYTES: usize>(bytes: [u8; BYTES], datagram: &mut Vec<u8>) {
        datagram.extend_from_slice(&bytes);
    }

    /// Takes a float or a number of one byte, and returns it with the least significant byte first.
    #[inline]
    fn take_plain<const BYTES: usize>(unread: &mut &[u8]) -> Result<[u8; BYTES], Mismatch> {
        take(unread)
    }
}
