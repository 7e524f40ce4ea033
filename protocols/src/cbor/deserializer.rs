use std::{borrow::Cow, mem};

use serde::de::{self, Deserialize, Visitor, value::SeqDeserializer};

use super::{
    access::{Elements, Named},
    reader::{Item, Reader},
    tag,
};
use crate::mismatch::Mismatch;

/// Reads one packet, and returns how many octets are left after it.
pub(super) fn read<'de, T: Deserialize<'de>>(
    datagram: &'de [u8],
    levels: usize,
) -> Result<(T, usize), Mismatch> {
    let mut deserializer = Deserializer {
        reader: Reader::new(datagram),
        levels,
        wrappers: WRAPPERS,
        elements: datagram.len(),
    };
    let packet = T::deserialize(&mut deserializer)?;
    Ok((packet, deserializer.reader.left()))
}

/// Reads serde types, within what one datagram may cost.
pub(super) struct Deserializer<'de> {
    reader: Reader<'de>,
    /// How many levels deeper it may go from here.
    levels: usize,
    /// How many newtypes and `Some` may follow without an octet between them.
    wrappers: usize,
    /// How many elements may still be declared: each takes an octet, so honest ones are no more.
    elements: usize,
}

impl<'de> Deserializer<'de> {
    /// Reads what contains others.
    #[inline]
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let Some(levels) = self.levels.checked_sub(1) else {
            return Err(Mismatch::expected("nesting within the limit was expected"));
        };
        self.levels = levels;
        let wrappers = mem::replace(&mut self.wrappers, WRAPPERS);
        let read = read(self)?;
        self.wrappers = wrappers;
        self.levels += 1;
        Ok(read)
    }

    /// Reads what takes no octets of its own.
    #[inline]
    fn wrapped<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let Some(wrappers) = self.wrappers.checked_sub(1) else {
            return Err(Mismatch::expected("a type that ends was expected"));
        };
        self.wrappers = wrappers;
        let read = read(self)?;
        self.wrappers += 1;
        Ok(read)
    }

    /// Takes a null, if one is next.
    #[inline]
    pub(super) fn null(&mut self) -> bool {
        self.reader.null()
    }

    /// Takes a declared number of elements from what the datagram can hold, before any of them is read.
    #[inline]
    fn claim(
        &mut self,
        declared: Option<u64>,
        octets_each: u64,
    ) -> Result<Option<usize>, Mismatch> {
        let Some(declared) = declared else { return Ok(None) };
        let octets = declared.checked_mul(octets_each).and_then(|octets| octets.try_into().ok());
        match octets.and_then(|octets| self.elements.checked_sub(octets)) {
            Some(left) => self.elements = left,
            None => return Err(Mismatch::expected("no more elements than octets were expected")),
        }
        Ok(Some(declared as usize))
    }

    #[inline]
    fn array<V: Visitor<'de>>(
        &mut self,
        len: Option<u64>,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let left = self.claim(len, 1)?;
        self.nested(|deserializer| {
            let mut elements = Elements::new(deserializer, left);
            let value = visitor.visit_seq(&mut elements)?;
            elements.end()?;
            Ok(value)
        })
    }

    #[inline]
    fn map<V: Visitor<'de>>(&mut self, len: Option<u64>, visitor: V) -> Result<V::Value, Mismatch> {
        let left = self.claim(len, 2)?;
        self.nested(|deserializer| {
            let mut entries = Elements::new(deserializer, left);
            let value = visitor.visit_map(&mut entries)?;
            entries.end()?;
            Ok(value)
        })
    }

    #[inline]
    fn value<V: Visitor<'de>>(
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
            Item::Unsigned128(number) => visitor.visit_u128(number),
            Item::Negative128(number) => match i128::try_from(number) {
                Ok(number) => visitor.visit_i128(!number),
                Err(_) => Err(Mismatch::expected("an integer of at most 128 bits was expected")),
            },
            Item::Bytes(Cow::Borrowed(octets)) => visitor.visit_borrowed_bytes(octets),
            Item::Bytes(Cow::Owned(octets)) => visitor.visit_byte_buf(octets),
            Item::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Item::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Item::Array(len) => self.array(len, visitor),
            Item::Map(len) => self.map(len, visitor),
            Item::Float(float) => visitor.visit_f64(float),
            Item::Bool(bool) => visitor.visit_bool(bool),
            Item::Null => visitor.visit_unit(),
        }
    }

    /// Passes over a whole item, which has to be well-formed all the same.
    fn skip(&mut self) -> Result<(), Mismatch> {
        let (len, each) = match self.reader.item()? {
            Item::Array(len) => (len, 1),
            Item::Map(len) => (len, 2),
            _ => return Ok(()),
        };
        let mut left = self.claim(len, each)?;
        self.nested(|deserializer| {
            while deserializer.one_more(&mut left) {
                for _ in 0..each {
                    deserializer.skip()?;
                }
            }
            Ok(())
        })
    }

    /// Tells whether an element follows, of which as many are left, or which a break ends.
    #[inline]
    pub(super) fn one_more(&mut self, left: &mut Option<usize>) -> bool {
        match left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => !self.reader.ended(),
        }
    }
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = Mismatch;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let item = self.reader.item()?;
        self.value(item, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.skip()?;
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.null() {
            return visitor.visit_none();
        }
        self.wrapped(|deserializer| visitor.visit_some(deserializer))
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.wrapped(|deserializer| visitor.visit_newtype_struct(deserializer))
    }

    /// Octets are no text, which the visitors of text do not know.
    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.reader.item()? {
            Item::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Item::Text(Cow::Owned(text)) => visitor.visit_string(text),
            _ => Err(Mismatch::expected("text was expected")),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    /// Nor is text octets; but a list of octets is.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.reader.item()? {
            item @ (Item::Bytes(_) | Item::Array(_)) => self.value(item, visitor),
            _ => Err(Mismatch::expected("octets were expected")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    /// Octets are also read as a list of them.
    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.reader.item()? {
            Item::Bytes(octets) => {
                let mut octets = SeqDeserializer::new(octets.iter().copied());
                let value = visitor.visit_seq(&mut octets)?;
                octets.end()?;
                Ok(value)
            }
            item => self.value(item, visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    /// A list is no struct: fields go by their names.
    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.reader.item()? {
            Item::Map(len) => self.map(len, visitor),
            _ => Err(Mismatch::expected("a map of the fields was expected")),
        }
    }

    /// A number is no field.
    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.reader.item()? {
            Item::Text(text) => visitor.visit_str(&text),
            _ => Err(Mismatch::expected("a name was expected")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if name == tag::ENUM {
            let tag = self.reader.tag()?;
            return self
                .wrapped(|deserializer| visitor.visit_enum(tag::Access::new(tag, deserializer)));
        }
        match self.reader.item()? {
            Item::Text(name) => visitor.visit_enum(Named::new(name, None)),
            Item::Map(len @ (Some(1) | None)) => {
                self.claim(len, 2)?;
                let Item::Text(name) = self.reader.item()? else {
                    return Err(Mismatch::expected("the name of a variant was expected"));
                };
                let value = visitor.visit_enum(Named::new(name, Some(self)))?;
                if len.is_none() && !self.reader.ended() {
                    return Err(SURPLUS);
                }
                Ok(value)
            }
            _ => Err(Mismatch::expected("a variant was expected")),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 unit unit_struct map
    }
}

pub(super) const SURPLUS: Mismatch =
    Mismatch::expected("no more elements than the type has were expected");

// More in a row has only a type that contains itself and nothing else.
const WRAPPERS: usize = 64;
