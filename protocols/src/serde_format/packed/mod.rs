//! Formats of which the bytes tell values only: the types, which both sides have, tell all else.
//!
//! A struct or tuple is its fields, one after another; a list or map follows its length, text and bytes
//! theirs, an enum's content the number of its variant, a value that may lack a zero or a one. Such
//! formats differ in how they write numbers, which is their [`Form`]. One that takes types of fixed size only has
//! no lengths and numbers of variants either.

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
    serde_format::{
        mismatch::Mismatch,
        unread::{refused, trailing},
    },
};

/// Appends one packet.
#[inline]
pub(crate) fn write<F: Form, T: Serialize>(
    packet: &T,
    datagram: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    packet.serialize(&mut Writer::<F>::new(datagram))
}

/// Reads one packet, nested at most `levels` deep, and returns how many bytes are left after it.
#[inline]
pub(crate) fn read<'de, F: Form, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> Result<(T, usize), Mismatch> {
    let mut reader = Reader::<F>::new(datagram, levels);
    let packet = T::deserialize(&mut reader)?;
    Ok((packet, reader.left()))
}

/// Returns the packet that was read, if no bytes are left of its datagram.
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
