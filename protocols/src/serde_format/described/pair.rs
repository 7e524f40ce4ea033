//! Two values that a type reads as a tuple.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess};

use crate::serde_format::mismatch::Mismatch;

/// Two values that a type reads as a tuple, although they are not one on the wire.
pub(super) struct Pair<A, B> {
    first: Option<A>,
    second: Option<B>,
}

impl<A, B> Pair<A, B> {
    pub(super) const fn new(first: Option<A>, second: B) -> Self {
        Self { first, second: Some(second) }
    }

    pub(super) const fn is_taken(&self) -> bool {
        self.second.is_none()
    }
}

impl<'de, A, B> SeqAccess<'de> for Pair<A, B>
where
    A: Deserializer<'de, Error = Mismatch>,
    B: Deserializer<'de, Error = Mismatch>,
{
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mismatch> {
        if let Some(first) = self.first.take() {
            return seed.deserialize(first).map(Some);
        }
        self.second.take().map(|second| seed.deserialize(second)).transpose()
    }
}
