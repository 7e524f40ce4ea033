use std::convert::Infallible;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{Guarded, Limits, visitor::GuardedVisitor};

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Guarded { inner: deserializer, limits: self.limits })
    }
}

/// The elements of a list or the entries of a map under guard: the type must take all of them.
pub(super) struct Elements<'g, A> {
    access: A,
    limits: Limits<'g>,
    one_by_one: bool,
    ended: bool,
}

impl<'g, A> Elements<'g, A> {
    pub(super) const fn new(access: A, limits: Limits<'g>, one_by_one: bool) -> Self {
        Self { access, limits, one_by_one, ended: false }
    }

    fn came<T, E: Error>(&mut self, element: Option<T>) -> Result<Option<T>, E> {
        self.ended = element.is_none();
        if self.one_by_one && !self.ended {
            self.limits.claim(1)?;
        }
        Ok(element)
    }

    // A tuple never asks for more than it needs. What follows it would be read as its neighbour, and
    // the mark that ends a CBOR array of indefinite length would be left.

    pub(super) fn end_of_seq<'de>(mut self) -> Result<(), A::Error>
    where
        A: SeqAccess<'de>,
    {
        if self.ended {
            return Ok(());
        }
        self.access.next_element_seed(Surplus).map(|_| ())
    }

    pub(super) fn end_of_map<'de>(mut self) -> Result<(), A::Error>
    where
        A: MapAccess<'de>,
    {
        if self.ended {
            return Ok(());
        }
        self.access.next_key_seed(Surplus).map(|_| ())
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if self.ended {
            return Ok(None);
        }
        let seed = Guarded { inner: seed, limits: self.limits };
        let element = self.access.next_element_seed(seed)?;
        self.came(element)
    }

    fn size_hint(&self) -> Option<usize> {
        bounded(self.access.size_hint(), self.limits)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if self.ended {
            return Ok(None);
        }
        let seed = Guarded { inner: seed, limits: self.limits };
        let key = self.access.next_key_seed(seed)?;
        self.came(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.access.next_value_seed(Guarded { inner: seed, limits: self.limits })
    }

    fn size_hint(&self) -> Option<usize> {
        bounded(self.access.size_hint(), self.limits)
    }
}

/// What a list or map has beyond its type: refused without a look at it.
struct Surplus;

impl<'de> DeserializeSeed<'de> for Surplus {
    type Value = Infallible;

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<Infallible, D::Error> {
        Err(D::Error::custom("no more elements than the type has were expected"))
    }
}

impl<'de, 'g, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'g, A> {
    type Error = A::Error;
    type Variant = Guarded<'g, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let Self { inner, limits } = self;
        let (value, variant) = inner.variant_seed(Guarded { inner: seed, limits })?;
        Ok((value, Guarded { inner: variant, limits }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let limits = self.limits.one_level_down()?;
        self.inner.newtype_variant_seed(Guarded { inner: seed, limits })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, GuardedVisitor::of_length_by_type(visitor, self.limits))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, GuardedVisitor::of_length_by_type(visitor, self.limits))
    }
}

// Collections reserve room for as many elements as the hint says. Reserving for the empty ones too
// would let a short datagram ask for the room of 1,024 big elements.
fn bounded(size_hint: Option<usize>, limits: Limits<'_>) -> Option<usize> {
    size_hint.map(|elements| elements.min(limits.guard.octets))
}
