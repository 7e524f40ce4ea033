//! The writer of described formats.

use std::marker::PhantomData;

use super::{item::Item, notation::Notation};
use crate::serde_format::mismatch::Mismatch;

/// Appends items to a datagram.
pub(super) struct Writer<'d, N> {
    pub(super) datagram: &'d mut Vec<u8>,
    notation: PhantomData<N>,
}

impl<'d, N: Notation> Writer<'d, N> {
    #[inline]
    pub(super) const fn new(datagram: &'d mut Vec<u8>) -> Self {
        Self { datagram, notation: PhantomData }
    }

    /// Makes a tag of the number that was just written to the end of the datagram.
    pub(super) fn make_tag_of(&mut self, start: usize) -> Result<(), Mismatch> {
        let Item::Unsigned(tag) = N::item(&mut &self.datagram[start..])? else {
            return Err(Mismatch::new("the tag is not a number"));
        };
        self.datagram.truncate(start);
        N::put_tag(tag, self.datagram);
        Ok(())
    }

    /// Appends the beginning of a variant with content.
    pub(super) fn variant(&mut self, name: &str) -> Result<(), Mismatch> {
        N::put_map(1, self.datagram)?;
        N::put_text(name, self.datagram)
    }
}
