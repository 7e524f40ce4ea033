//! Reads items as serde types, type by type.

use serde::de::{
    self, Visitor,
    value::{SeqDeserializer, StrDeserializer, U64Deserializer},
};

use super::{
    access::Named,
    extension, float,
    item::Item,
    notation::Notation,
    reader::{Reader, SURPLUS},
    tag,
    value::{magnitude, signed},
};
use crate::serde_format::{beyond::is_beyond, mismatch::Mismatch, unread::utf8};

macro_rules! integers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.small() {
                Some(number) => visitor.visit_u8(number),
                None => self.integer(visitor),
            }
        }
    )*};
}

impl<'de, N: Notation> de::Deserializer<'de> for &mut Reader<'de, N> {
    type Error = Mismatch;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.item()? {
            Item::Float(double) => self.beyond.visit(double, visitor),
            item => self.value(item, visitor),
        }
    }

    integers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if let Some(double) = self.double() {
            return visitor.visit_f64(double);
        }
        match self.item()? {
            // Rounded once: rounding before the addition could give the neighbour of the nearest
            // float.
            Item::Negative(number) => visitor.visit_f64(-((u128::from(number) + 1) as f64)),
            Item::Big { negative, digits } => {
                let number = magnitude(&digits)?.saturating_add(negative.into()) as f64;
                visitor.visit_f64(if negative { -number } else { number })
            }
            item => self.value(item, visitor),
        }
    }

    /// Exact to the bit where the float has single precision.
    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let start = self.unread;
        match self.item()? {
            Item::Float(double) => match float::single_of(double) {
                Some(single) => visitor.visit_f32(single),
                None if is_beyond(double) => Err(OUT_OF_RANGE),
                None => visitor.visit_f64(double),
            },
            Item::Negative(number) => visitor.visit_f32(-((u128::from(number) + 1) as f32)),
            Item::Big { negative, digits } => {
                let number = magnitude(&digits)?.saturating_add(negative.into()) as f32;
                if number.is_infinite() {
                    return Err(OUT_OF_RANGE);
                }
                visitor.visit_f32(if negative { -number } else { number })
            }
            _ => {
                self.unread = start;
                self.deserialize_f64(visitor)
            }
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.item()? {
            Item::Unsigned(number) => visitor.visit_u128(number.into()),
            Item::Big { negative: false, digits } => visitor.visit_u128(magnitude(&digits)?),
            Item::Bytes(bytes) if N::LENIENT => {
                visitor.visit_u128(u128::from_be_bytes(sixteen(&bytes)?))
            }
            Item::Float(float) => match float::integer_of(float) {
                Some((false, number)) => visitor.visit_u128(number),
                _ => visitor.visit_f64(float),
            },
            item => self.value(item, visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.item()? {
            Item::Unsigned(number) => visitor.visit_i128(number.into()),
            Item::Negative(number) => visitor.visit_i128(!i128::from(number)),
            Item::Big { negative, digits } => {
                let number = signed(magnitude(&digits)?)?;
                visitor.visit_i128(if negative { !number } else { number })
            }
            Item::Float(float) => match float::integer_of(float) {
                Some((negative, number)) => {
                    let number = signed(number)?;
                    visitor.visit_i128(if negative { !number } else { number })
                }
                None => visitor.visit_f64(float),
            },
            Item::Bytes(bytes) if N::LENIENT => {
                visitor.visit_i128(i128::from_be_bytes(sixteen(&bytes)?))
            }
            item => self.value(item, visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.item()? {
            Item::Array(Some(0)) if N::LENIENT => visitor.visit_unit(),
            item => self.value(item, visitor),
        }
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
        self.wrapped(|reader| visitor.visit_some(reader))
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if N::EXTENSIONS && name == extension::STRUCT {
            let Item::Extension(kind, bytes) = self.item()? else {
                return Err(Mismatch::new("the item is not an extension"));
            };
            return extension::read(kind, bytes, visitor);
        }
        self.wrapped(|reader| visitor.visit_newtype_struct(reader))
    }

    /// Bytes are not text, and visitors of text do not accept them. In MessagePack they may be
    /// text.
    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if let Some(text) = self.short_text()? {
            return visitor.visit_borrowed_str(text);
        }
        match self.item()? {
            item @ Item::Text(_) => self.value(item, visitor),
            Item::Bytes(bytes) if N::LENIENT => self.value(Item::Text(bytes), visitor),
            _ => Err(TEXT),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    /// No encoder writes bytes for a character.
    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.item()? {
            item @ Item::Text(_) => self.value(item, visitor),
            _ => Err(TEXT),
        }
    }

    /// A list of bytes is bytes too. In MessagePack so is text, since its first version had only
    /// one type for both.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.item()? {
            item @ (Item::Bytes(_) | Item::Array(_)) => self.value(item, visitor),
            Item::Text(bytes) if N::LENIENT => self.value(Item::Bytes(bytes), visitor),
            Item::Big { digits, .. } => self.value(Item::Bytes(digits), visitor),
            _ => Err(Mismatch::new("the item is not bytes")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    /// Bytes can also be read as a list of bytes.
    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.item()? {
            Item::Bytes(bytes) | Item::Big { digits: bytes, .. } => {
                let mut bytes = SeqDeserializer::new(bytes.iter().copied());
                let value = visitor.visit_seq(&mut bytes)?;
                bytes.end()?;
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

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.item()? {
            Item::Map(len) => self.fields(len, visitor),
            Item::Array(len) if N::LENIENT => self.array(len, visitor),
            _ => Err(Mismatch::new("the item is not a map")),
        }
    }

    /// The key of a map, which may be the name of a field, as with `flatten`, or any other item.
    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.short_text()? {
            Some(name) => visitor.visit_borrowed_str(name),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if N::TAGS && name == tag::ENUM {
            let tag = N::tag(&mut self.unread)?;
            return self.wrapped(|reader| visitor.visit_enum(tag::Access::new(tag, reader)));
        }
        match self.item()? {
            Item::Map(len @ (Some(1) | None)) => {
                self.claim(len, 2)?;
                let name = self.item()?;
                let value = variant(name, Some(self), visitor)?;
                if len.is_none() && !N::ended(&mut self.unread) {
                    return Err(SURPLUS);
                }
                Ok(value)
            }
            name => variant::<N, V>(name, None, visitor),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! { bool unit map }
}

const TEXT: Mismatch = Mismatch::new("the item is not text");

/// Visits a variant of this name, alone or with its content.
#[inline]
fn variant<'de, N: Notation, V: Visitor<'de>>(
    name: Item<'de>,
    content: Option<&mut Reader<'de, N>>,
    visitor: V,
) -> Result<V::Value, Mismatch> {
    match name {
        Item::Text(name) | Item::Bytes(name) => {
            visitor.visit_enum(Named::new(StrDeserializer::new(utf8(&name)?), content))
        }
        Item::Unsigned(place) if N::LENIENT => {
            visitor.visit_enum(Named::new(U64Deserializer::new(place), content))
        }
        _ => Err(Mismatch::new("the item is not a variant")),
    }
}

fn sixteen(bytes: &[u8]) -> Result<[u8; 16], Mismatch> {
    bytes.try_into().map_err(|_| Mismatch::new("the integer is not 16 bytes"))
}

const OUT_OF_RANGE: Mismatch = Mismatch::new("number out of range of its type");
