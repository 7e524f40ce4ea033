//! Extensions, where a type asks for them.
//!
//! serde knows none. A newtype struct of a certain name, around a tuple of the extension's type and its
//! octets, stands for one: so `rmp_serde` has it, and the crates that followed.

use serde::de::{
    Visitor,
    value::{BorrowedBytesDeserializer, I8Deserializer, SeqAccessDeserializer},
};

use super::{Item, Notation, pair::Pair};
use crate::mismatch::Mismatch;

pub(super) const STRUCT: &str = "_ExtStruct";

/// Reads an extension.
pub(super) fn read<'de, N: Notation, V: Visitor<'de>>(
    unread: &mut &'de [u8],
    visitor: V,
) -> Result<V::Value, Mismatch> {
    match N::item(unread)? {
        Item::Extension(kind, octets) => {
            let pair =
                Pair::new(Some(I8Deserializer::new(kind)), BorrowedBytesDeserializer::new(octets));
            visitor.visit_newtype_struct(SeqAccessDeserializer::new(pair))
        }
        _ => Err(Mismatch::expected("an extension was expected")),
    }
}

/// Makes an extension of the tuple that was written as any other at the end of the datagram.
pub(super) fn write<N: Notation>(start: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
    let written = datagram.split_off(start);
    let mut unread = &*written;
    let (Item::Array(Some(2)), kind, Item::Octets(octets), []) =
        (N::item(&mut unread)?, N::item(&mut unread)?, N::item(&mut unread)?, unread)
    else {
        return Err(OTHER);
    };
    let kind = match kind {
        Item::Unsigned(kind) => i8::try_from(kind).ok(),
        Item::Negative(kind) => i8::try_from(kind).ok().map(|kind| !kind),
        _ => None,
    };
    N::put_extension(kind.ok_or(OTHER)?, &octets, datagram)
}

const OTHER: Mismatch = Mismatch::expected("a type of eight bits and octets were expected");
