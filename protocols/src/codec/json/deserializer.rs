//! Reads JSON as serde types, type by type.

use std::iter;

use serde::de::{
    self, Visitor,
    value::{BorrowedStrDeserializer, MapDeserializer},
};

use super::{
    access::{Elements, Entries, Unit, Variant},
    number::Number,
    quoted::Quoted,
    reader::{MinusZero, Reader},
};
use crate::serde_format::mismatch::Mismatch;

macro_rules! integers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.typed_number(&visitor)? {
                Number::Unsigned(number) => visitor.visit_u64(number),
                Number::Negative(number) => visitor.visit_i64(number),
                Number::MinusZero => visitor.visit_u64(0),
                Number::Long(number) | Number::Float(number) => visitor.visit_f64(number.double()?),
            }
        }
    )*};
}

macro_rules! long_integers {
    ($($method:ident: $type:ty => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.typed_number(&visitor)? {
                Number::Unsigned(number) => visitor.$visit(number.into()),
                Number::Negative(number) => visitor.visit_i64(number),
                Number::MinusZero => visitor.$visit(0),
                Number::Float(number) => visitor.visit_f64(number.double()?),
                Number::Long(number) => match number.text.parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(Mismatch::new("integer has more than 128 bits")),
                },
            }
        }
    )*};
}

macro_rules! floats {
    ($($method:ident: $parse:ident => $visit:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match self.typed_number(&visitor)? {
                Number::Float(number) | Number::Long(number) => visitor.$visit(number.$parse()?),
                Number::Unsigned(number) => visitor.visit_u64(number),
                Number::Negative(number) => visitor.visit_i64(number),
                Number::MinusZero => visitor.$visit(-0.0),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Mismatch;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.next() {
            Some(b'"') => self.deserialize_str(visitor),
            Some(b'-' | b'0'..=b'9') => match self.number()? {
                Number::Unsigned(number) => visitor.visit_u64(number),
                Number::Negative(number) => visitor.visit_i64(number),
                Number::MinusZero if self.zero == MinusZero::Integer => visitor.visit_u64(0),
                Number::MinusZero => {
                    self.zero = MinusZero::FloatSeen;
                    visitor.visit_f64(-0.0)
                }
                Number::Long(number) | Number::Float(number) => {
                    self.beyond.visit(number.double()?, visitor)
                }
            },
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'{') => self.deserialize_map(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            _ => self.deserialize_unit(visitor),
        }
    }

    integers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }

    long_integers! {
        deserialize_u128: u128 => visit_u128,
        deserialize_i128: i128 => visit_i128,
    }

    floats! {
        deserialize_f32: single => visit_f32,
        deserialize_f64: double => visit_f64,
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.next() {
            Some(b't') => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            Some(b'f') => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
            _ => Err(self.other(&visitor)),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.next() != Some(b'"') {
            return Err(self.other(&visitor));
        }
        match self.quoted()? {
            Quoted::AsItIs(text) => visitor.visit_borrowed_str(text),
            Quoted::Unescaped(text) => visitor.visit_str(text),
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

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    /// JSON has no bytes: they are text, or a list of numbers.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.next() {
            Some(b'"') => match self.quoted()? {
                Quoted::AsItIs(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
                Quoted::Unescaped(text) => visitor.visit_bytes(text.as_bytes()),
            },
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.next() != Some(b'n') {
            return Err(self.other(&visitor));
        }
        self.word("null")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.next() == Some(b'n') {
            self.word("null")?;
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
        if name == RAW_VALUE {
            self.next();
            let start = self.at;
            self.skip()?;
            let json = BorrowedStrDeserializer::new(&self.text[start..self.at]);
            return visitor.visit_map(MapDeserializer::new(iter::once((RAW_VALUE, json))));
        }
        self.wrapped(|reader| visitor.visit_newtype_struct(reader))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.next() != Some(b'[') {
            return Err(self.other(&visitor));
        }
        self.nested(|reader| {
            let value = visitor.visit_seq(Elements::new(reader))?;
            reader.end(b']')?;
            Ok(value)
        })
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
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.next() != Some(b'{') {
            return Err(self.other(&visitor));
        }
        self.nested(|reader| {
            let value = visitor.visit_map(Entries::new(reader))?;
            reader.end(b'}')?;
            Ok(value)
        })
    }

    /// Never from a list: a field that is added or removed would change the meaning of the others.
    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.next() {
            Some(b'"') => visitor.visit_enum(Unit(self)),
            Some(b'{') => self.nested(|reader| {
                let value = visitor.visit_enum(Variant(reader))?;
                reader.end(b'}')?;
                Ok(value)
            }),
            _ => Err(self.other(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.skip()?;
        visitor.visit_unit()
    }
}

impl<'de> Reader<'de> {
    #[inline]
    fn typed_number<V: Visitor<'de>>(&mut self, visitor: &V) -> Result<Number<'de>, Mismatch> {
        match self.next() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.other(visitor)),
        }
    }
}

// The name under which `serde_json`'s `RawValue` asks for the JSON of a value.
const RAW_VALUE: &str = "$serde_json::private::RawValue";
