//! What a packed format reads from: the bytes of a datagram, and what they may still cost.

use std::marker::PhantomData;

use super::form::Form;
use crate::serde_format::{
    mismatch::{Mismatch, TOO_DEEP},
    unread::{piece, take, utf8},
};

/// What was not read yet of a datagram, within what it may cost.
pub(super) struct Reader<'de, F> {
    pub(super) unread: &'de [u8],
    /// How many bytes there were at first.
    pub(super) bytes: usize,
    /// How many levels deeper it may go from here.
    levels: usize,
    /// How many elements may still be declared.
    elements: usize,
    form: PhantomData<F>,
}

impl<'de, F: Form> Reader<'de, F> {
    #[inline]
    pub(super) const fn new(datagram: &'de [u8], levels: usize) -> Self {
        let bytes = datagram.len();
        let elements = bytes.saturating_add(EMPTY_ELEMENTS);
        Self { unread: datagram, bytes, levels, elements, form: PhantomData }
    }

    /// How many bytes were not read yet.
    #[inline]
    pub(super) const fn left(&self) -> usize {
        self.unread.len()
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
        let read = read(self);
        self.levels += 1;
        read
    }

    /// Takes the length of a list or map, and as many elements from what the datagram may have, before
    /// any of them is read.
    ///
    /// Every element starts with a byte that starts no other element of a list or map, but for those
    /// that take none, so honest lengths add up to little more than the bytes there are.
    #[inline]
    pub(super) fn elements(&mut self) -> Result<usize, Mismatch> {
        let declared = F::take::<8>(&mut self.unread)?;
        let declared = usize::try_from(declared).ok();
        match declared.and_then(|declared| Some((declared, self.elements.checked_sub(declared)?))) {
            Some((declared, left)) => {
                self.elements = left;
                Ok(declared)
            }
            None => Err(Mismatch::new("declared length exceeds the datagram")),
        }
    }

    /// Takes bytes that follow their length.
    #[inline]
    pub(super) fn piece(&mut self) -> Result<&'de [u8], Mismatch> {
        let len = F::take::<8>(&mut self.unread)?;
        piece(&mut self.unread, len)
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'de str, Mismatch> {
        utf8(self.piece()?)
    }

    pub(super) fn char(&mut self) -> Result<char, Mismatch> {
        let bytes = if F::CHARS_ARE_TEXT {
            self.piece()?
        } else {
            let len = match self.unread.first() {
                Some(0..0x80) => 1,
                Some(0x80..0xe0) => 2,
                Some(0xe0..0xf0) => 3,
                Some(0xf0..) => 4,
                None => 1, // which is not there
            };
            piece(&mut self.unread, len)?
        };
        let mut chars = utf8(bytes)?.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(Mismatch::new("the text is not one character")),
        }
    }

    #[inline]
    pub(super) fn flag(&mut self) -> Result<bool, Mismatch> {
        match take(&mut self.unread)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Mismatch::new("the byte is neither 0 nor 1")),
        }
    }
}

// `()` and its like take no bytes. Enough for honest lists of them, too few for a datagram to keep a
// thread busy.
const EMPTY_ELEMENTS: usize = 1_024;
