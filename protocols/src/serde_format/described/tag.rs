//! Tags, for types that ask for them.
//!
//! serde has no tags. The types of `ciborium::tag` ask for one with an enum of a certain name and
//! these two variants. Other crates use the same names.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, VariantAccess, Visitor,
    value::{StrDeserializer, U64Deserializer},
};

use super::pair::Pair;
use crate::serde_format::mismatch::Mismatch;

pub(super) const ENUM: &str = "@@TAG@@";
pub(super) const TAGGED: &str = "@@TAGGED@@";
pub(super) const UNTAGGED: &str = "@@UNTAGGED@@";

/// A value with the tag before it, or without a tag.
pub(super) struct Access<D> {
    tag: Option<u64>,
    value: D,
}

impl<D> Access<D> {
    pub(super) const fn new(tag: Option<u64>, value: D) -> Self {
        Self { tag, value }
    }
}

impl<'de, D: Deserializer<'de, Error = Mismatch>> EnumAccess<'de> for Access<D> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        let name = if self.tag.is_some() { TAGGED } else { UNTAGGED };
        Ok((seed.deserialize(StrDeserializer::<Mismatch>::new(name))?, self))
    }
}

impl<'de, D: Deserializer<'de, Error = Mismatch>> VariantAccess<'de> for Access<D> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Err(OTHER)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        seed.deserialize(self.value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        let mut pair = Pair::new(self.tag.map(U64Deserializer::new), self.value);
        let value = visitor.visit_seq(&mut pair)?;
        if pair.is_taken() { Ok(value) } else { Err(OTHER) }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Mismatch> {
        Err(OTHER)
    }
}

const OTHER: Mismatch = Mismatch::new("the type does not accept a tag and its value");
