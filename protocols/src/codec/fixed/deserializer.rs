use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::{Error, Order};

/// Takes fields from a datagram.
pub(super) struct Reader<'d> {
    rest: &'d [u8],
    order: Order,
    levels: usize,
}

impl<'d> Reader<'d> {
    pub(super) const fn new(datagram: &'d [u8], order: Order) -> Self {
        Self { rest: datagram, order, levels: LEVELS }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the next bytes, in network order whatever they are on the wire.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Error::Cut)?;
        self.rest = rest;
        let mut bytes = *bytes;
        if let Order::LittleEndian = self.order {
            bytes.reverse();
        }
        Ok(bytes)
    }

    /// Goes one level down, where a type that contains itself would go for ever, with or without
    /// bytes.
    fn one_level_down<T>(
        &mut self,
        visit: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.levels = self.levels.checked_sub(1).ok_or(Error::Endless)?;
        let value = visit(self)?;
        self.levels += 1;
        Ok(value)
    }
}

macro_rules! take {
    ($($method:ident: $type:ty => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(<$type>::from_be_bytes(self.take()?))
        }
    )*};
}

macro_rules! refuse {
    ($kind:literal: $($method:ident($($type:ty),*),)*) => {$(
        fn $method<V: Visitor<'d>>(self, $(_: $type,)* _: V) -> Result<V::Value, Error> {
            Err(Error::Unsized($kind))
        }
    )*};
}

impl<'d> Deserializer<'d> for &mut Reader<'d> {
    type Error = Error;

    take! {
        deserialize_i8: i8 => visit_i8,
        deserialize_i16: i16 => visit_i16,
        deserialize_i32: i32 => visit_i32,
        deserialize_i64: i64 => visit_i64,
        deserialize_i128: i128 => visit_i128,
        deserialize_u8: u8 => visit_u8,
        deserialize_u16: u16 => visit_u16,
        deserialize_u32: u32 => visit_u32,
        deserialize_u64: u64 => visit_u64,
        deserialize_u128: u128 => visit_u128,
        deserialize_f32: f32 => visit_f32,
        deserialize_f64: f64 => visit_f64,
    }

    fn deserialize_bool<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Error> {
        let [byte] = self.take()?;
        visitor.visit_bool(byte != 0)
    }

    fn deserialize_unit<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.one_level_down(|reader| visitor.visit_newtype_struct(reader))
    }

    fn deserialize_tuple<V: Visitor<'d>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.one_level_down(|reader| visitor.visit_seq(Fields { reader, left: len }))
    }

    fn deserialize_tuple_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    // With `alias` there are more names than fields; the type takes as many as it has.
    fn deserialize_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    refuse! {
        "text":
        deserialize_char(),
        deserialize_str(),
        deserialize_string(),
    }

    refuse! {
        "a sequence":
        deserialize_bytes(),
        deserialize_byte_buf(),
        deserialize_seq(),
    }

    refuse! {
        "a map":
        deserialize_map(),
        deserialize_identifier(),
    }

    refuse! {
        "an enum":
        deserialize_enum(&'static str, &'static [&'static str]),
    }

    refuse! {
        "an option":
        deserialize_option(),
    }

    refuse! {
        "one that depends on the bytes":
        deserialize_any(),
        deserialize_ignored_any(),
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// As many fields as the type has.
struct Fields<'r, 'd> {
    reader: &'r mut Reader<'d>,
    left: usize,
}

impl<'d> SeqAccess<'d> for Fields<'_, 'd> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'d>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

const LEVELS: usize = 64;
