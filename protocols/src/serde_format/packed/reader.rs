//! The reader of packed formats: the unread bytes of a datagram, and the limits that are left.

use std::marker::PhantomData;

use super::form::Form;
use crate::serde_format::{
    mismatch::{Mismatch, TOO_DEEP},
    unread::{piece, take, utf8},
};

/// The unread bytes of a datagram, and the limits that are left.
pub(super) struct Reader<'de, F> {
    pub(super) unread: &'de [u8],
    /// The length of the datagram.
    pub(super) bytes: usize,
    /// How many more levels of nesting are allowed.
    levels: usize,
    /// How many more elements may be declared.
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

    /// The number of unread bytes.
    #[inline]
    pub(super) const fn left(&self) -> usize {
        self.unread.len()
    }

    /// Reads a value that contains others.
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

    /// Takes the length of a list or map, and takes that many elements from the budget before any
    /// of them is read.
    ///
    /// Each element that takes bytes begins with a byte of its own, so the lengths of an honest
    /// packet add up to little more than the number of its bytes.
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

    /// Takes bytes after their length.
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

// For elements that take no bytes, such as `()`. Enough for honest lists of them, too few to keep a
// thread busy.
const EMPTY_ELEMENTS: usize = 1_024;
