//! What a described format reads from: the bytes of a datagram, and what they may still cost.

use std::{marker::PhantomData, mem};

use super::{item::Item, notation::Notation};
use crate::serde_format::{
    beyond::Beyond,
    mismatch::{Mismatch, TOO_DEEP},
    unread::{piece, utf8},
};

/// What was not read yet of a datagram, within what it may cost.
pub(super) struct Reader<'de, N> {
    pub(super) unread: &'de [u8],
    /// How many levels deeper it may go from here.
    levels: usize,
    /// How many newtypes and `Some` may follow without a byte between them.
    wrappers: usize,
    /// How many elements may still be declared: each takes a byte, so honest ones are no more.
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

    /// How many bytes were not read yet; far more if the packet is in doubt.
    #[inline]
    pub(super) const fn left(&self) -> usize {
        self.unread.len() | self.beyond.doubt()
    }

    #[inline]
    pub(super) fn item(&mut self) -> Result<Item<'de>, Mismatch> {
        N::item(&mut self.unread)
    }

    // What is read most often, without a look at all that it could be.

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

    /// Reads what contains others.
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

    /// Reads what takes no bytes of its own.
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

    /// Takes a null, if one is next.
    #[inline]
    pub(super) fn null(&mut self) -> bool {
        N::null(&mut self.unread)
    }

    /// Takes a declared number of elements from what the datagram can hold, before any of them is read.
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

    /// Passes over a whole item, which has to be well-formed all the same.
    pub(super) fn skip(&mut self) -> Result<(), Mismatch> {
        // What a tag asks of its item only those know who want it.
        while N::tag(&mut self.unread)?.is_some() {}
        let (len, each) = match self.item()? {
            Item::Array(len) => (len, 1),
            Item::Map(len) => (len, 2),
            // That of MessagePack may be bytes.
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

    /// Tells whether an element follows, of which as many are left, or which a break ends.
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
    /// Takes an element of a list that has not declared its length. A type that takes errors for values would
    /// find one more for ever behind the end of a datagram: the list ends instead, and the packet does not.
    fn undeclared(&mut self) -> bool {
        // What no item of CBOR begins with, and MessagePack has no such lists.
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

// More in a row has only a type that contains itself and nothing else.
const WRAPPERS: usize = 64;
