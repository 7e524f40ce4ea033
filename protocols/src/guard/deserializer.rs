use serde::de::{Deserializer, Visitor};

use super::{Format, Guarded, visitor::GuardedVisitor};

/// Hands each visitor on under guard.
macro_rules! forward {
    ($length:ident: $($method:ident($($argument:ident: $type:ty),*),)*) => {$(
        fn $method<V: Visitor<'de>>(self $(, $argument: $type)*, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* GuardedVisitor::$length(visitor, self.limits))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    forward! {
        of_declared_length:
        deserialize_any(),
        deserialize_seq(),
        deserialize_map(),
        deserialize_ignored_any(),
    }

    forward! {
        of_length_by_type:
        deserialize_bool(),
        deserialize_i8(),
        deserialize_i16(),
        deserialize_i32(),
        deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(),
        deserialize_u16(),
        deserialize_u32(),
        deserialize_u64(),
        deserialize_u128(),
        deserialize_f32(),
        deserialize_f64(),
        deserialize_char(),
        deserialize_option(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(),
    }

    // Text and octets are the same on the wire whether a type wants them borrowed or owned, and every
    // visitor takes both.

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = GuardedVisitor::of_length_by_type(visitor, self.limits);
        match self.limits.guard.format {
            Format::Packed => self.inner.deserialize_str(visitor),
            Format::Described => self.inner.deserialize_string(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = GuardedVisitor::of_length_by_type(visitor, self.limits);
        match self.limits.guard.format {
            Format::Packed => self.inner.deserialize_bytes(visitor),
            Format::Described => self.inner.deserialize_byte_buf(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}
