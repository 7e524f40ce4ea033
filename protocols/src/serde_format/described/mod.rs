//! Self-describing binary formats: the bytes say what type each item has, as in JSON.
//!
//! A struct is a map of names to fields. An enum variant is its name, or a map of its name to its
//! content. All these formats have the same kinds of items. Each one writes them in its own way,
//! which is its [`Notation`].

mod access;
mod deserializer;
mod elements;
mod extension;
pub(crate) mod float;
pub(crate) mod item;
pub(crate) mod notation;
mod pair;
mod reader;
mod serializer;
mod tag;
mod value;
mod writer;

use serde::{Deserialize, Serialize};

use self::{notation::Notation, reader::Reader, writer::Writer};
use crate::{
    error::DecodeError,
    serde_format::{beyond::without_doubt, mismatch::Mismatch, unread::refused},
    trailing::trailing,
};

/// Appends one packet.
#[inline]
pub(crate) fn write<N: Notation, T: Serialize>(
    packet: &T,
    datagram: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    packet.serialize(&mut Writer::<N>::new(datagram))
}

/// Reads one packet, nested at most `levels` deep, and returns how many bytes of the datagram
/// remain.
#[inline]
pub(crate) fn read<'de, N: Notation, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> Result<(T, usize), Mismatch> {
    let mut reader = Reader::<N>::new(datagram, levels);
    let packet = T::deserialize(&mut reader)?;
    Ok((packet, reader.left()))
}

/// Returns the packet if no bytes of its datagram remain. Reads the datagram `again` if the packet
/// is in doubt.
#[inline]
pub(crate) fn whole<T>(
    read: Result<(T, usize), Mismatch>,
    levels: usize,
    invalid: &'static str,
    again: impl FnMut() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    match read {
        Ok((packet, 0)) => Ok(packet),
        Ok((_, left)) if left > isize::MAX as usize => without_doubt(left, again, invalid),
        Ok((_, left)) => Err(trailing(left)),
        Err(error) => Err(refused(error, levels, invalid)),
    }
}
