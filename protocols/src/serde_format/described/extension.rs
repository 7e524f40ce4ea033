//! Extensions, for types that ask for them.
//!
//! serde has no extensions. A newtype struct of a certain name, around a tuple of the extension's
//! type and its bytes, stands for one. `rmp_serde` introduced this, and other crates follow it.

use serde::de::{
    Visitor,
    value::{BorrowedBytesDeserializer, I8Deserializer, SeqAccessDeserializer},
};

use super::{item::Item, notation::Notation, pair::Pair};
use crate::serde_format::mismatch::Mismatch;

pub(super) const STRUCT: &str = "_ExtStruct";

/// Reads an extension as the tuple in that struct.
pub(super) fn read<'de, V: Visitor<'de>>(
    kind: i8,
    bytes: &'de [u8],
    visitor: V,
) -> Result<V::Value, Mismatch> {
    let kind = I8Deserializer::new(kind);
    let mut pair = Pair::new(Some(kind), BorrowedBytesDeserializer::new(bytes));
    let value = visitor.visit_newtype_struct(SeqAccessDeserializer::new(&mut pair))?;
    if pair.is_taken() { Ok(value) } else { Err(OTHER) }
}

/// Makes an extension of the tuple that was just written to the end of the datagram.
pub(super) fn write<N: Notation>(start: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
    let written = datagram.split_off(start);
    let mut unread = &*written;
    let (Item::Array(Some(2)), kind, Item::Bytes(bytes), []) =
        (N::item(&mut unread)?, N::item(&mut unread)?, N::item(&mut unread)?, unread)
    else {
        return Err(OTHER);
    };
    let kind = match kind {
        Item::Unsigned(kind) => i8::try_from(kind).ok(),
        Item::Negative(kind) => i8::try_from(kind).ok().map(|kind| !kind),
        _ => None,
    };
    N::put_extension(kind.ok_or(OTHER)?, &bytes, datagram)
}

const OTHER: Mismatch = Mismatch::new("the extension is not a pair of an i8 and bytes");
