//! How formats of the packed family differ.

use crate::serde_format::mismatch::Mismatch;

/// How a format writes numbers of more than one byte.
pub(crate) trait Form {
    /// Whether signed integers are zigzag-coded: 0, -1, 1, -2, … become 0, 1, 2, 3, …
    const ZIGZAG: bool;

    /// Whether a character is text, which follows its length, or just the bytes of its UTF-8.
    const CHARS_ARE_TEXT: bool;

    /// Appends a number of a type of 2, 4 or 8 `BYTES`, of which the others are to be ignored.
    fn put<const BYTES: usize>(number: u64, datagram: &mut Vec<u8>);

    /// Appends a number of a type of 16 bytes.
    fn put_wide(number: u128, datagram: &mut Vec<u8>);

    /// Takes a number of a type of 2, 4 or 8 `BYTES`, beyond which it is refused.
    fn take<const BYTES: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch>;

    /// Takes a number of a type of 16 bytes.
    fn take_wide(unread: &mut &[u8]) -> Result<u128, Mismatch>;
}
