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
mod item;
mod pair;
mod serializer;
mod tag;
mod types;

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

pub(crate) use self::item::Item;
use self::{deserializer::Deserializer, serializer::Serializer};
use crate::{
    DecodeError,
    serde_format::{beyond::without_doubt, mismatch::Mismatch, unread},
};

/// How a format writes items.
///
/// What takes is to take nothing, or a whole item, or an array's or map's head. What appends returns an
/// error only for lengths that the format cannot tell.
pub(crate) trait Notation {
    /// Whether a struct may be an array of its fields, a unit struct an empty one, a variant its place, text bytes,
    /// and bytes text.
    const LENIENT: bool;

    /// Whether items may have a tag, as `ciborium::tag` asks for them.
    const TAGS: bool;

    /// Whether there are extensions, as `rmp_serde` has them.
    const EXTENSIONS: bool;

    /// The highest number that is an item of one byte, as are all below it.
    const SMALL: u8;

    /// How many bytes the longest text may have of which the length is a part of the first byte.
    const SHORT: u8;

    /// That byte, of the text of no length.
    const SHORT_TEXT: u8;

    /// The byte that comes before a float of double precision, in network order.
    const DOUBLE: u8;

    /// Takes the next item, whatever it is.
    fn item<'de>(unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch>;

    /// Takes what stands for nothing, if that is next.
    fn null(unread: &mut &[u8]) -> bool;

    /// Takes the end of an array or map whose length was not told, if that is next.
    fn ended(_: &mut &[u8]) -> bool {
        false
    }

    /// Takes a tag, if one is next.
    fn tag(_: &mut &[u8]) -> Result<Option<u64>, Mismatch> {
        Ok(None)
    }

    fn put_tag(_: u64, _: &mut Vec<u8>) {}

    fn put_unsigned(number: u64, datagram: &mut Vec<u8>);

    fn put_signed(number: i64, datagram: &mut Vec<u8>);

    fn put_unsigned_128(number: u128, datagram: &mut Vec<u8>);

    fn put_signed_128(number: i128, datagram: &mut Vec<u8>);

    fn put_single(float: f32, datagram: &mut Vec<u8>);

    fn put_double(float: f64, datagram: &mut Vec<u8>);

    fn put_bool(value: bool, datagram: &mut Vec<u8>);

    fn put_null(datagram: &mut Vec<u8>);

    fn put_unit_struct(datagram: &mut Vec<u8>);

    fn put_text(text: &str, datagram: &mut Vec<u8>) -> Result<(), Mismatch>;

    fn put_bytes(bytes: &[u8], datagram: &mut Vec<u8>) -> Result<(), Mismatch>;

    fn put_extension(_: i8, _: &[u8], _: &mut Vec<u8>) -> Result<(), Mismatch> {
        Ok(())
    }

    /// Appends the head of an array.
    fn put_array(elements: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch>;

    /// Appends the head of a map.
    fn put_map(entries: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch>;
}

/// Appends one packet.
#[inline]
pub(crate) fn write<N: Notation, T: Serialize>(
    packet: &T,
    datagram: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    packet.serialize(&mut Serializer::<N> { datagram, notation: PhantomData })
}

/// Reads one packet, nested at most `levels` deep, and returns how many bytes are left after it.
#[inline]
pub(crate) fn read<'de, N: Notation, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> Result<(T, usize), Mismatch> {
    let mut deserializer = Deserializer::<N>::new(datagram, levels);
    let packet = T::deserialize(&mut deserializer)?;
    Ok((packet, deserializer.left()))
}

/// Returns the packet that was read, if no bytes are left of its datagram, which is read `again` where that is in
/// doubt.
#[inline]
pub(crate) fn whole<T>(
    read: Result<(T, usize), Mismatch>,
    expected: &'static str,
    again: impl FnMut() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    match read {
        Ok((_, left)) if left > isize::MAX as usize => without_doubt(left, again, expected),
        read => unread::whole(read, expected),
    }
}
