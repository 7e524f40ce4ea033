use std::fmt;

use serde::de::{Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::{Guarded, Limits, access::Elements};

/// A visitor that goes one level down for everything that contains something.
pub(super) struct GuardedVisitor<'g, V> {
    visitor: V,
    limits: Limits<'g>,
    length: Length,
}

impl<'g, V> GuardedVisitor<'g, V> {
    pub(super) const fn of_declared_length(visitor: V, limits: Limits<'g>) -> Self {
        Self { visitor, limits, length: Length::Declared }
    }

    pub(super) const fn of_length_by_type(visitor: V, limits: Limits<'g>) -> Self {
        Self { visitor, limits, length: Length::ByType }
    }

    /// Takes the elements of a list or map from what the datagram has left: at once as many as it
    /// declares, or one by one where the format does not tell.
    fn elements<A, E: Error>(
        &self,
        access: A,
        declared: Option<usize>,
    ) -> Result<Elements<'g, A>, E> {
        let limits = self.limits.one_level_down()?;
        if let (Length::Declared, Some(elements)) = (self.length, declared) {
            limits.claim(elements)?;
        }
        let one_by_one = matches!((self.length, declared), (Length::Declared, None));
        Ok(Elements::new(access, limits, one_by_one))
    }
}

/// Passes a value that contains nothing on as it is.
macro_rules! forward {
    ($($method:ident($($value:ident: $type:ty)?),)*) => {$(
        fn $method<E: Error>(self $(, $value: $type)?) -> Result<V::Value, E> {
            self.visitor.$method($($value)?)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for GuardedVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    forward! {
        visit_bool(value: bool),
        visit_i8(value: i8),
        visit_i16(value: i16),
        visit_i32(value: i32),
        visit_i64(value: i64),
        visit_i128(value: i128),
        visit_u8(value: u8),
        visit_u16(value: u16),
        visit_u32(value: u32),
        visit_u64(value: u64),
        visit_u128(value: u128),
        visit_f32(value: f32),
        visit_f64(value: f64),
        visit_char(value: char),
        visit_str(value: &str),
        visit_borrowed_str(value: &'de str),
        visit_string(value: String),
        visit_bytes(value: &[u8]),
        visit_borrowed_bytes(value: &'de [u8]),
        visit_byte_buf(value: Vec<u8>),
        visit_none(),
        visit_unit(),
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let limits = self.limits.unwrapped()?;
        self.visitor.visit_some(Guarded { inner: deserializer, limits })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let limits = self.limits.unwrapped()?;
        self.visitor.visit_newtype_struct(Guarded { inner: deserializer, limits })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let declared = access.size_hint();
        let mut elements = self.elements(access, declared)?;
        let value = self.visitor.visit_seq(&mut elements)?;
        elements.end_of_seq()?;
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let declared = access.size_hint();
        let mut entries = self.elements(access, declared)?;
        let value = self.visitor.visit_map(&mut entries)?;
        entries.end_of_map()?;
        Ok(value)
    }

    // The level of an enum is taken with its content: a variant without any is no deeper than a
    // number.
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Guarded { inner: access, limits: self.limits })
    }
}

#[derive(Clone, Copy)]
enum Length {
    Declared,
    ByType,
}
