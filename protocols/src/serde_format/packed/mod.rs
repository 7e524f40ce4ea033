//! Formats of which the bytes tell values only: the types, which both sides have, tell all else.
//!
//! A struct or tuple is its fields, one after another; a list or map follows its length, text and bytes
//! theirs, an enum's content the number of its variant, a value that may lack a zero or a one. Such
//! formats differ in how they write numbers, which is their [`Form`].

mod access;
mod deserializer;
mod serializer;

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use self::{deserializer::Deserializer, serializer::Serializer};
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

/// Appends one packet.
#[inline]
pub(crate) fn write<F: Form, T: Serialize>(
    packet: &T,
    datagram: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    packet.serialize(&mut Serializer::<F> { datagram, form: PhantomData })
}

/// Reads one packet, nested at most `levels` deep, and returns how many bytes are left after it.
#[inline]
pub(crate) fn read<'de, F: Form, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> Result<(T, usize), Mismatch> {
    let mut deserializer = Deserializer::<F>::new(datagram, levels);
    let packet = T::deserialize(&mut deserializer)?;
    Ok((packet, deserializer.left()))
}
