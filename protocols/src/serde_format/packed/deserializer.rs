use std::marker::PhantomData;

use serde::de::{self, Visitor};

use super::{Form, access::Elements};
use crate::serde_format::{
    mismatch::Mismatch,
    unread::{piece, take, utf8},
};

/// Reads serde types, within what one datagram may cost.
pub(super) struct Deserializer<'de, F> {
    pub(super) unread: &'de [u8],
    /// How many bytes there were at first.
    pub(super) bytes: usize,
    /// How many levels deeper it may go from here.
    levels: usize,
    /// How many elements may still be declared.
    elements: usize,
    form: PhantomData<F>,
}

impl<'de, F: Form> Deserializer<'de, F> {
    #[inline]
    pub(super) const fn new(datagram: &'de [u8], levels: usize) -> Self {
        let bytes = datagram.len();
        let elements = bytes.saturating_add(EMPTY_ELEMENTS);
        Self { unread: datagram, bytes, levels, elements, form: PhantomData }
    }

    /// How many bytes were not read yet.
    #[inline]
    pub(super) const fn left(&self) -> usize {
        self.unread.len()
    }

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
        let read = read(self);
        self.levels += 1;
        read
    }

    /// Takes the length of a list or map, and as many elements from what the datagram may have, before
    /// any of them is read.
    ///
    /// Every element starts with a byte that starts no other element of a list or map, but for those
    /// that take none, so honest lengths add up to little more than the bytes there are.
    #[inline]
    fn elements(&mut self) -> Result<usize, Mismatch> {
        let declared = F::take::<8>(&mut self.unread)?;
        let declared = usize::try_from(declared).ok();
        match declared.and_then(|declared| Some((declared, self.elements.checked_sub(declared)?))) {
            Some((declared, left)) => {
                self.elements = left;
                Ok(declared)
            }
            None => Err(Mismatch::expected("no more elements than bytes were expected")),
        }
    }

    /// Takes bytes that follow their length.
    #[inline]
    fn piece(&mut self) -> Result<&'de [u8], Mismatch> {
        let len = F::take::<8>(&mut self.unread)?;
        piece(&mut self.unread, len)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, Mismatch> {
        utf8(self.piece()?)
    }

    fn char(&mut self) -> Result<char, Mismatch> {
        let bytes = if F::CHARS_ARE_TEXT {
            self.piece()?
        } else {
            let len = match self.unread.first() {
                Some(0..0x80) => 1,
                Some(0x80..0xe0) => 2,
                Some(0xe0..0xf0) => 3,
                Some(0xf0..) => 4,
                None => 1, // which is not there
            };
            piece(&mut self.unread, len)?
        };
        let mut chars = utf8(bytes)?.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(Mismatch::expected("one character was expected")),
        }
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, Mismatch> {
        match take(&mut self.unread)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Mismatch::expected("a zero or a one was expected")),
        }
    }
}

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
            visitor.$visit(<$type>::from_le_bytes(take(&mut self.unread)?))
        }
    )*};
}

macro_rules! refuse {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mismatch> {
            Err(Mismatch::expected("a type that tells its shape was expected: this format does not"))
        }
    )*};
}

impl<'de, F: Form> de::Deserializer<'de> for &mut Deserializer<'de, F> {
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

    refuse! { deserialize_any deserialize_identifier deserialize_ignored_any }

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
        visitor.visit_bool(self.flag()?)
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_char(self.char()?)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_str(self.text()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_bytes(self.piece()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.flag()? {
            self.nested(|deserializer| visitor.visit_some(deserializer))
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
        self.nested(|deserializer| visitor.visit_newtype_struct(deserializer))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let left = self.elements()?;
        self.nested(|deserializer| {
            let mut elements = Elements::new(deserializer, left);
            let value = visitor.visit_seq(&mut elements)?;
            elements.end()?;
            Ok(value)
        })
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let left = self.elements()?;
        self.nested(|deserializer| {
            let mut entries = Elements::new(deserializer, left);
            let value = visitor.visit_map(&mut entries)?;
            entries.end()?;
            Ok(value)
        })
    }

    // Whoever asks for so many takes so many.
    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.nested(|deserializer| visitor.visit_seq(Elements::new(deserializer, len)))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
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
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

// `()` and its like take no bytes. Enough for honest lists of them, too few for a datagram to keep a
// thread busy.
const EMPTY_ELEMENTS: usize = 1_024;
