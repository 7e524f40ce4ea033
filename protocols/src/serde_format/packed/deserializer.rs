//! Reads packed bytes as serde types, type by type.

use serde::de::{self, Visitor};

use super::{
    access::Elements,
    form::{Form, TEXT_FIELD},
    reader::Reader,
    unsized_types::{self, allow},
};
use crate::serde_format::{
    mismatch::Mismatch,
    unread::{piece, take},
};

macro_rules! unsigned {
    ($($method:ident: $type:ty => $visit:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.$visit(F::take::<{ size_of::<$type>() }>(&mut self.unread)? as $type)
        }
    )*};
}

macro_rules! signed {
    ($($method:ident: $type:ty => $visit:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            let number = F::take::<{ size_of::<$type>() }>(&mut self.unread)?;
            visitor.$visit(if F::ZIGZAG {
                (number >> 1) as $type ^ -((number & 1) as $type)
            } else {
                number as $type
            })
        }
    )*};
}

macro_rules! as_they_are {
    ($($method:ident: $type:ty => $visit:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.$visit(<$type>::from_le_bytes(F::take_plain(&mut self.unread)?))
        }
    )*};
}

macro_rules! refuse {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mismatch> {
            allow::<F>(unsized_types::OF_THE_BYTES)?;
            Err(Mismatch::new("the type needs a self-describing format"))
        }
    )*};
}

impl<'de, F: Form> de::Deserializer<'de> for &mut Reader<'de, F> {
    type Error = Mismatch;

    unsigned! {
        deserialize_u16: u16 => visit_u16,
        deserialize_u32: u32 => visit_u32,
        deserialize_u64: u64 => visit_u64,
    }

    signed! {
        deserialize_i16: i16 => visit_i16,
        deserialize_i32: i32 => visit_i32,
        deserialize_i64: i64 => visit_i64,
    }

    as_they_are! {
        deserialize_u8: u8 => visit_u8,
        deserialize_i8: i8 => visit_i8,
        deserialize_f32: f32 => visit_f32,
        deserialize_f64: f64 => visit_f64,
    }

    refuse! { deserialize_any deserialize_ignored_any }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_u128(F::take_wide(&mut self.unread)?)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let number = F::take_wide(&mut self.unread)?;
        visitor.visit_i128(if F::ZIGZAG {
            (number >> 1) as i128 ^ -((number & 1) as i128)
        } else {
            number as i128
        })
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if F::SIZED {
            let [byte] = take(&mut self.unread)?;
            return visitor.visit_bool(byte != 0);
        }
        visitor.visit_bool(self.flag()?)
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::TEXT)?;
        visitor.visit_char(self.char()?)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::TEXT)?;
        visitor.visit_borrowed_str(self.text()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::SEQUENCE)?;
        visitor.visit_borrowed_bytes(self.piece()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::OPTION)?;
        if self.flag()? {
            self.nested(|reader| visitor.visit_some(reader))
        } else {
            visitor.visit_none()
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.nested(|reader| visitor.visit_newtype_struct(reader))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::SEQUENCE)?;
        let left = self.elements()?;
        self.nested(|reader| {
            let mut elements = Elements::new(reader, left);
            let value = visitor.visit_seq(&mut elements)?;
            elements.end()?;
            Ok(value)
        })
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::MAP)?;
        let left = self.elements()?;
        self.nested(|reader| {
            let mut entries = Elements::new(reader, left);
            let value = visitor.visit_map(&mut entries)?;
            entries.end()?;
            Ok(value)
        })
    }

    // The visitor takes as many elements as the type has.
    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.nested(|reader| visitor.visit_seq(Elements::new(reader, len)))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if F::SIZED && name == TEXT_FIELD {
            return self.nested(|reader| {
                visitor.visit_borrowed_bytes(piece(&mut reader.unread, len as u64)?)
            });
        }
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::ENUM)?;
        visitor.visit_enum(self)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        allow::<F>(unsized_types::MAP)?;
        self.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
