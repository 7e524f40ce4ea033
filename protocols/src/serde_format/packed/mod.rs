//! Compact formats without type information: the bytes hold values only, and both sides know the
//! types.
//!
//! A struct or tuple is its fields, one after another. Lists, maps, text and bytes come after their
//! length. The content of an enum comes after the number of its variant, and an optional value
//! after a zero or a one. Each format writes numbers in its own way, which is its [`Form`]. A form
//! of fixed sizes has no lengths and no variant numbers.

mod access;
mod deserializer;
mod elements;
pub(crate) mod form;
mod reader;
mod serializer;
mod unsized_types;
mod writer;

use serde::{Deserialize, Serialize};

use self::{form::Form, reader::Reader, writer::Writer};
use crate::{
    error::DecodeError,
    serde_format::{mismatch::Mismatch, unread::refused},
    trailing::trailing,
};

/// Appends one packet.
#[inline]
pub(crate) fn write<F: Form, T: Serialize>(
    packet: &T,
    datagram: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    packet.serialize(&mut Writer::<F>::new(datagram))
}

/// Reads one packet, nested at most `levels` deep, and returns how many bytes of the datagram
/// remain.
#[inline]
pub(crate) fn read<'de, F: Form, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> Result<(T, usize), Mismatch> {
    let mut reader = Reader::<F>::new(datagram, levels);
    let packet = T::deserialize(&mut reader)?;
    Ok((packet, reader.left()))
}

/// Reads one packet and drops it. Returns whether it could be read, and how many bytes were.
#[cfg(feature = "fixed")]
pub(crate) fn try_read<'de, F: Form, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> (bool, usize) {
    let mut reader = Reader::<F>::new(datagram, levels);
    let is_whole = T::deserialize(&mut reader).is_ok();
    (is_whole, datagram.len() - reader.left())
}

/// Returns the packet if no bytes of its datagram remain.
#[inline]
pub(crate) fn whole<T>(
    read: Result<(T, usize), Mismatch>,
    levels: usize,
    invalid: &'static str,
) -> Result<T, DecodeError> {
    match read {
        Ok((packet, 0)) => Ok(packet),
        Ok((_, left)) => Err(trailing(left)),
        Err(error) => Err(refused(error, levels, invalid)),
    }
}
