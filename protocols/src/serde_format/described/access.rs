//! Access for serde to the parts of an array, a map or an enum.

use serde::de::{
    self, DeserializeSeed, Deserializer as _, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::{
    item::Item,
    notation::Notation,
    reader::{Reader, SURPLUS},
};
use crate::serde_format::mismatch::Mismatch;

/// The elements of an array, or the entries of a map.
pub(super) struct Elements<'d, 'de, N> {
    reader: &'d mut Reader<'de, N>,
    left: Option<usize>,
    ended: bool,
}

impl<'d, 'de, N: Notation> Elements<'d, 'de, N> {
    pub(super) const fn new(reader: &'d mut Reader<'de, N>, left: Option<usize>) -> Self {
        Self { reader, left, ended: false }
    }

    #[inline]
    fn one_more(&mut self) -> bool {
        self.ended = self.ended || !self.reader.one_more(&mut self.left);
        !self.ended
    }

    /// Refuses further elements: a tuple takes no more than it needs, and the rest would be read as
    /// the next value.
    #[inline]
    pub(super) fn end(mut self) -> Result<(), Mismatch> {
        if self.one_more() { Err(SURPLUS) } else { Ok(()) }
    }
}

impl<'de, N: Notation> SeqAccess<'de> for Elements<'_, 'de, N> {
    type Error = Mismatch;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mismatch> {
        if !self.one_more() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left
    }
}

impl<'de, N: Notation> MapAccess<'de> for Elements<'_, 'de, N> {
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

    fn size_hint(&self) -> Option<usize> {
        self.left
    }
}

/// The entries of a map that is a struct.
pub(super) struct Fields<'e, 'd, 'de, N>(pub(super) &'e mut Elements<'d, 'de, N>);

impl<'de, N: Notation> MapAccess<'de> for Fields<'_, '_, 'de, N> {
    type Error = Mismatch;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mismatch> {
        if !self.0.one_more() {
            return Ok(None);
        }
        seed.deserialize(Name(&mut *self.0.reader)).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        self.0.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.left
    }
}

/// The name of a field. serde would read a number as the index of a field, but on the wire a name
/// is text or bytes.
struct Name<'d, 'de, N>(&'d mut Reader<'de, N>);

impl<'de, N: Notation> Name<'_, 'de, N> {
    fn longer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let start = self.0.unread;
        match self.0.item() {
            Ok(item @ Item::Text(_)) => self.0.value(item, visitor),
            // As text, since some visitors accept nothing else.
            Ok(Item::Bytes(name)) => match str::from_utf8(&name) {
                Ok(name) => visitor.visit_str(name),
                Err(_) => visitor.visit_bytes(&name),
            },
            // The visitor decides whether fields are allowed that the type does not have.
            _ => {
                self.0.unread = start;
                self.0.skip()?;
                visitor.visit_bytes(NO_NAME)
            }
        }
    }
}

/// A name that no field can have, as it is not UTF-8.
const NO_NAME: &[u8] = &[0xff];

impl<'de, N: Notation> de::Deserializer<'de> for Name<'_, 'de, N> {
    type Error = Mismatch;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.short_text()? {
            Some(name) => visitor.visit_borrowed_str(name),
            None => self.longer(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A variant by its name or index, alone or with its content.
pub(super) struct Named<'d, 'de, I, N> {
    name: I,
    content: Option<&'d mut Reader<'de, N>>,
}

impl<'d, 'de, I, N: Notation> Named<'d, 'de, I, N> {
    pub(super) const fn new(name: I, content: Option<&'d mut Reader<'de, N>>) -> Self {
        Self { name, content }
    }
}

impl<'d, 'de, I, N: Notation> EnumAccess<'de> for Named<'d, 'de, I, N>
where
    I: de::Deserializer<'de, Error = Mismatch>,
{
    type Error = Mismatch;
    type Variant = Content<'d, 'de, N>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), Mismatch> {
        Ok((seed.deserialize(self.name)?, Content(self.content)))
    }
}

pub(super) struct Content<'d, 'de, N>(Option<&'d mut Reader<'de, N>>);

impl<'d, 'de, N: Notation> Content<'d, 'de, N> {
    #[inline]
    fn required(self) -> Result<&'d mut Reader<'de, N>, Mismatch> {
        self.0.ok_or(const { Mismatch::new("the variant has no content") })
    }
}

impl<'de, N: Notation> VariantAccess<'de> for Content<'_, 'de, N> {
    type Error = Mismatch;

    #[inline]
    fn unit_variant(self) -> Result<(), Mismatch> {
        // Some encoders write a null as the content of a variant without content.
        if self.0.is_none_or(Reader::null) {
            Ok(())
        } else {
            Err(Mismatch::new("the variant has content"))
        }
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        self.required()?.nested(|reader| seed.deserialize(reader))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.required()?.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.required()?.deserialize_struct("", fields, visitor)
    }
}
