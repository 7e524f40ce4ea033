//! Gives an item to serde as a number, text, bytes, an array or a map.

use std::borrow::Cow;

use serde::de::Visitor;

use super::{
    access::{Elements, Fields},
    extension, float,
    item::Item,
    notation::Notation,
    reader::Reader,
};
use crate::serde_format::{mismatch::Mismatch, unread::utf8};

impl<'de, N: Notation> Reader<'de, N> {
    #[inline]
    pub(super) fn array<V: Visitor<'de>>(
        &mut self,
        len: Option<u64>,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.elements(len, 1, |elements| visitor.visit_seq(elements))
    }

    #[inline]
    pub(super) fn map<V: Visitor<'de>>(
        &mut self,
        len: Option<u64>,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.elements(len, 2, |entries| visitor.visit_map(entries))
    }

    /// A map whose keys are names of fields.
    #[inline]
    pub(super) fn fields<V: Visitor<'de>>(
        &mut self,
        len: Option<u64>,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.elements(len, 2, |entries| visitor.visit_map(Fields(entries)))
    }

    #[inline]
    fn elements<T>(
        &mut self,
        len: Option<u64>,
        bytes_each: u64,
        read: impl FnOnce(&mut Elements<'_, 'de, N>) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let left = self.claim(len, bytes_each)?;
        self.nested(|reader| {
            let mut elements = Elements::new(reader, left);
            let value = read(&mut elements)?;
            elements.end()?;
            Ok(value)
        })
    }

    #[inline]
    pub(super) fn value<V: Visitor<'de>>(
        &mut self,
        item: Item<'de>,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match item {
            Item::Unsigned(number) => visitor.visit_u64(number),
            Item::Negative(number) => match i64::try_from(number) {
                Ok(number) => visitor.visit_i64(!number),
                Err(_) => visitor.visit_i128(!i128::from(number)),
            },
            Item::Big { negative, digits } => wide(negative, magnitude(&digits)?, visitor),
            Item::Bytes(Cow::Borrowed(bytes)) => visitor.visit_borrowed_bytes(bytes),
            Item::Bytes(Cow::Owned(bytes)) => visitor.visit_byte_buf(bytes),
            Item::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(utf8(text)?),
            Item::Text(Cow::Owned(text)) => visitor.visit_str(utf8(&text)?),
            Item::Array(len) => self.array(len, visitor),
            Item::Map(len) => self.map(len, visitor),
            Item::Float(float) => visitor.visit_f64(float),
            Item::Bool(bool) => visitor.visit_bool(bool),
            Item::Null => visitor.visit_unit(),
            Item::Simple => Err(Mismatch::new("unassigned simple value")),
            Item::Extension(0, [0]) => visitor.visit_unit(), // JavaScript's `undefined`
            Item::Extension(kind, bytes) => extension::read(kind, bytes, visitor),
        }
    }

    /// Reads an integer. Languages with one type of number may write it as a float.
    #[inline]
    pub(super) fn integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.item()? {
            Item::Float(float) => match float::integer_of(float) {
                Some((negative, number)) => wide(negative, number, visitor),
                None => visitor.visit_f64(float),
            },
            item => self.value(item, visitor),
        }
    }
}

/// Visits the integer `number`, or -1 - `number`, as the narrowest type that fits.
fn wide<'de, V: Visitor<'de>>(
    negative: bool,
    number: u128,
    visitor: V,
) -> Result<V::Value, Mismatch> {
    if negative {
        return match i64::try_from(number) {
            Ok(number) => visitor.visit_i64(!number),
            Err(_) => visitor.visit_i128(!signed(number)?),
        };
    }
    match u64::try_from(number) {
        Ok(number) => visitor.visit_u64(number),
        Err(_) => visitor.visit_u128(number),
    }
}

/// Returns the number of these big-endian digits.
pub(super) fn magnitude(digits: &[u8]) -> Result<u128, Mismatch> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = &digits[zeros..];
    let mut number = [0; 16];
    let first = number.len().checked_sub(digits.len()).ok_or(BEYOND)?;
    number[first..].copy_from_slice(digits);
    Ok(u128::from_be_bytes(number))
}

pub(super) fn signed(number: u128) -> Result<i128, Mismatch> {
    i128::try_from(number).map_err(|_| BEYOND)
}

const BEYOND: Mismatch = Mismatch::new("integer has more than 128 bits");
