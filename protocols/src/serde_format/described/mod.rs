//! Formats of which the bytes tell what is there, as JSON's do, but in binary.
//!
//! A struct is a map of names to fields, an enum's variant its name, or a map of that to its content.
//! Such formats have the same kinds of items, and differ in how they write them, which is their
//! [`Notation`].

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
    serde_format::{
        beyond::without_doubt,
        mismatch::Mismatch,
        unread::{refused, trailing},
    },
};

/// Appends one packet.
#[inline]
pub(crate) fn write<N: Notation, T: Serialize>(
    packet: &T,
    datagram: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    packet.serialize(&mut Writer::<N>::new(datagram))
}

/// Reads one packet, nested at most `levels` deep, and returns how many bytes are left after it.
#[inline]
pub(crate) fn read<'de, N: Notation, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> Result<(T, usize), Mismatch> {
    let mut reader = Reader::<N>::new(datagram, levels);
    let packet = T::deserialize(&mut reader)?;
    Ok((packet, reader.left()))
}

/// Returns the packet that was read, if no bytes are left of its datagram, which is read `again` where that is in
/// doubt.
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
