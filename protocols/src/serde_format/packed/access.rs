//! Access for serde to the parts of a list, a map, a struct or an enum.

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::{form::Form, reader::Reader};
use crate::serde_format::mismatch::Mismatch;

/// The elements of a list, the entries of a map, or the fields of a struct.
pub(super) struct Elements<'d, 'de, F> {
    reader: &'d mut Reader<'de, F>,
    left: usize,
}

impl<'d, 'de, F: Form> Elements<'d, 'de, F> {
    #[inline]
    pub(super) const fn new(reader: &'d mut Reader<'de, F>, left: usize) -> Self {
        Self { reader, left }
    }

    /// Refuses elements that the type has not taken: they would be read as the next value.
    #[inline]
    pub(super) fn end(self) -> Result<(), Mismatch> {
        if self.left == 0 {
            return Ok(());
        }
        Err(Mismatch::new("more elements than the type has"))
    }

    /// Collections reserve room for this many elements: at most the length of the datagram.
    /// Otherwise a short datagram could reserve room for 1,024 big elements that take no bytes.
    #[inline]
    fn hint(&self) -> Option<usize> {
        Some(self.left.min(self.reader.bytes))
    }
}

impl<'de, F: Form> SeqAccess<'de> for Elements<'_, 'de, F> {
    type Error = Mismatch;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mismatch> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de, F: Form> MapAccess<'de> for Elements<'_, 'de, F> {
    type Error = Mismatch;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mismatch> {
        self.next_element_seed(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        seed.deserialize(&mut *self.reader)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de, F: Form> EnumAccess<'de> for &mut Reader<'de, F> {
    type Error = Mismatch;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        let number = F::take::<4>(&mut self.unread)? as u32;
        let variant = seed.deserialize(IntoDeserializer::<Mismatch>::into_deserializer(number))?;
        Ok((variant, self))
    }
}

// Only a variant with content is a level of its own.
impl<'de, F: Form> VariantAccess<'de> for &mut Reader<'de, F> {
    type Error = Mismatch;

    #[inline]
    fn unit_variant(self) -> Result<(), Mismatch> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        self.nested(|reader| seed.deserialize(reader))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        de::Deserializer::deserialize_tuple(self, len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        de::Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}
