//! The reader of described formats: the unread bytes of a datagram, and the limits that are left.

use std::{marker::PhantomData, mem};

use super::{item::Item, notation::Notation};
use crate::serde_format::{
    beyond::Beyond,
    mismatch::{Mismatch, TOO_DEEP},
    unread::{piece, utf8},
};

/// The unread bytes of a datagram, and the limits that are left.
pub(super) struct Reader<'de, N> {
    pub(super) unread: &'de [u8],
    /// How many more levels of nesting are allowed.
    levels: usize,
    /// How many more newtypes and `Some` are allowed without a byte between them.
    wrappers: usize,
    /// How many more elements may be declared. Each takes at least one byte, so honest packets have
    /// no more.
    budget: usize,
    pub(super) beyond: Beyond,
    notation: PhantomData<N>,
}

impl<'de, N: Notation> Reader<'de, N> {
    #[inline]
    pub(super) fn new(datagram: &'de [u8], levels: usize) -> Self {
        let (wrappers, budget, beyond) = (WRAPPERS, datagram.len(), Beyond::default());
        Self { unread: datagram, levels, wrappers, budget, beyond, notation: PhantomData }
    }

    /// The number of unread bytes; a far greater number if the packet is in doubt.
    #[inline]
    pub(super) const fn left(&self) -> usize {
        self.unread.len() | self.beyond.doubt()
    }

    #[inline]
    pub(super) fn item(&mut self) -> Result<Item<'de>, Mismatch> {
        N::item(&mut self.unread)
    }

    // Fast paths for the most frequent items, which do not check all kinds of items.

    #[inline]
    pub(super) fn small(&mut self) -> Option<u8> {
        match self.unread {
            [number, rest @ ..] if *number <= N::SMALL => {
                self.unread = rest;
                Some(*number)
            }
            _ => None,
        }
    }

    #[inline]
    pub(super) fn double(&mut self) -> Option<f64> {
        let ([initial, bytes @ ..], rest) = self.unread.split_first_chunk::<9>()?;
        if *initial != N::DOUBLE {
            return None;
        }
        self.unread = rest;
        Some(f64::from_be_bytes(*bytes))
    }

    #[inline]
    pub(super) fn short_text(&mut self) -> Result<Option<&'de str>, Mismatch> {
        let [initial, rest @ ..] = self.unread else { return Ok(None) };
        let len = initial.wrapping_sub(N::SHORT_TEXT);
        if len > N::SHORT {
            return Ok(None);
        }
        self.unread = rest;
        utf8(piece(&mut self.unread, len.into())?).map(Some)
    }

    /// Reads an item that contains others.
    #[inline]
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let Some(levels) = self.levels.checked_sub(1) else {
            return Err(TOO_DEEP);
        };
        self.levels = levels;
        let wrappers = mem::replace(&mut self.wrappers, WRAPPERS);
        let read = read(self);
        self.wrappers = wrappers;
        self.levels += 1;
        read
    }

    /// Reads a wrapper that takes no bytes of its own.
    #[inline]
    pub(super) fn wrapped<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let Some(wrappers) = self.wrappers.checked_sub(1) else {
            return Err(Mismatch::new("recursion limit (64) reached"));
        };
        self.wrappers = wrappers;
        let read = read(self);
        self.wrappers += 1;
        read
    }

    /// Takes a null if one is next.
    #[inline]
    pub(super) fn null(&mut self) -> bool {
        N::null(&mut self.unread)
    }

    /// Takes a declared number of elements from the budget, before any of them is read.
    #[inline]
    pub(super) fn claim(
        &mut self,
        declared: Option<u64>,
        bytes_each: u64,
    ) -> Result<Option<usize>, Mismatch> {
        let Some(declared) = declared else { return Ok(None) };
        let bytes = declared.checked_mul(bytes_each).and_then(|bytes| bytes.try_into().ok());
        match bytes.and_then(|bytes| self.budget.checked_sub(bytes)) {
            Some(left) => self.budget = left,
            None => return Err(Mismatch::new("declared length exceeds the datagram")),
        }
        Ok(Some(declared as usize))
    }

    /// Skips a whole item, which must be well-formed nevertheless.
    pub(super) fn skip(&mut self) -> Result<(), Mismatch> {
        // A tag may require something of its item. Only a type that asks for the tag checks that.
        while N::tag(&mut self.unread)?.is_some() {}
        let (len, each) = match self.item()? {
            Item::Array(len) => (len, 1),
            Item::Map(len) => (len, 2),
            // In MessagePack, text may have any bytes.
            Item::Text(text) if !N::LENIENT => return utf8(&text).map(drop),
            _ => return Ok(()),
        };
        let mut left = self.claim(len, each)?;
        self.nested(|reader| {
            while reader.one_more(&mut left) {
                for _ in 0..each {
                    reader.skip()?;
                }
            }
            Ok(())
        })
    }

    /// Returns whether another element follows: by the number that is left, or until an end mark.
    #[inline]
    pub(super) fn one_more(&mut self, left: &mut Option<usize>) -> bool {
        match left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => !N::ended(&mut self.unread) && self.undeclared(),
        }
    }
}

impl<N: Notation> Reader<'_, N> {
    /// Takes an element of a list without a declared length. A type that treats errors as values
    /// would find elements forever after the end of a datagram. So the list ends after as many
    /// elements as there can be, and the packet is refused.
    fn undeclared(&mut self) -> bool {
        // No item of CBOR begins with this byte, and MessagePack has no such lists.
        const NOTHING: &[u8] = &[0xfc];

        let left = self.budget.checked_sub(1);
        match left {
            Some(left) => self.budget = left,
            None => self.unread = NOTHING,
        }
        left.is_some()
    }
}

pub(super) const SURPLUS: Mismatch = Mismatch::new("more elements than the type has");

// Only a type that contains nothing but itself has more in a row.
const WRAPPERS: usize = 64;
