//! Data items, one after another, without a look at how they nest.

use std::borrow::Cow;

use super::{
    float,
    head::{
        self, BREAK, CUT, FALSE, NEGATIVE_BIGNUM, NULL, TRUE, UNDEFINED, UNSIGNED_BIGNUM, major,
    },
};
use crate::mismatch::Mismatch;

/// The octets that were not read yet.
pub(super) struct Reader<'de> {
    unread: &'de [u8],
}

/// A data item; of an array or map its length, which is `None` if a break ends it.
pub(super) enum Item<'de> {
    Unsigned(u64),
    /// An integer of -1 minus this.
    Negative(u64),
    /// An integer beyond 64 bits, or written as if it were.
    Unsigned128(u128),
    /// The same of -1 minus this.
    Negative128(u128),
    Bytes(Cow<'de, [u8]>),
    Text(Cow<'de, str>),
    Array(Option<u64>),
    Map(Option<u64>),
    Float(f64),
    Bool(bool),
    Null,
}

impl<'de> Reader<'de> {
    pub(super) const fn new(datagram: &'de [u8]) -> Self {
        Self { unread: datagram }
    }

    /// How many octets were not read yet.
    pub(super) const fn left(&self) -> usize {
        self.unread.len()
    }

    /// Takes the next item, without the tags around it.
    #[inline]
    pub(super) fn item(&mut self) -> Result<Item<'de>, Mismatch> {
        let mut initial = self.octet()?;
        while initial & MAJOR == major::TAG {
            let tag = self.number(initial)?;
            initial = self.octet()?;
            if let UNSIGNED_BIGNUM | NEGATIVE_BIGNUM = tag {
                return self.bignum(tag, initial);
            }
        }
        Ok(match initial & MAJOR {
            major::UNSIGNED => Item::Unsigned(self.number(initial)?),
            major::NEGATIVE => Item::Negative(self.number(initial)?),
            major::BYTES => Item::Bytes(self.octets(initial)?),
            major::TEXT => Item::Text(self.text(initial)?),
            major::ARRAY => Item::Array(head::argument(initial, &mut self.unread)?),
            major::MAP => Item::Map(head::argument(initial, &mut self.unread)?),
            _ => return self.simple(initial),
        })
    }

    /// Takes a null, if one is next.
    #[inline]
    pub(super) fn null(&mut self) -> bool {
        self.one_of([NULL, UNDEFINED])
    }

    /// Takes a break, if one is next.
    #[inline]
    pub(super) fn ended(&mut self) -> bool {
        self.one_of([BREAK; 2])
    }

    /// Takes a tag, if one is next.
    pub(super) fn tag(&mut self) -> Result<Option<u64>, Mismatch> {
        match self.unread {
            [initial, rest @ ..] if initial & MAJOR == major::TAG => {
                self.unread = rest;
                self.number(*initial).map(Some)
            }
            _ => Ok(None),
        }
    }

    #[inline]
    fn one_of(&mut self, initials: [u8; 2]) -> bool {
        match self.unread {
            [initial, rest @ ..] if initials.contains(initial) => {
                self.unread = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn octet(&mut self) -> Result<u8, Mismatch> {
        head::take(&mut self.unread).map(|[octet]| octet)
    }

    #[inline]
    fn number(&mut self, initial: u8) -> Result<u64, Mismatch> {
        head::argument(initial, &mut self.unread)?.ok_or(UNKNOWN)
    }

    /// A string of octets, which is in one piece unless its length is indefinite.
    #[inline]
    fn octets(&mut self, initial: u8) -> Result<Cow<'de, [u8]>, Mismatch> {
        match head::argument(initial, &mut self.unread)? {
            Some(len) => self.piece(len).map(Cow::Borrowed),
            None => {
                let mut octets = Vec::new();
                self.pieces(initial, |piece| {
                    octets.extend_from_slice(piece);
                    Ok(())
                })?;
                Ok(Cow::Owned(octets))
            }
        }
    }

    #[inline]
    fn text(&mut self, initial: u8) -> Result<Cow<'de, str>, Mismatch> {
        match head::argument(initial, &mut self.unread)? {
            Some(len) => utf8(self.piece(len)?).map(Cow::Borrowed),
            None => {
                let mut text = String::new();
                // Each piece is text by itself (RFC 8949, section 3.2.3).
                self.pieces(initial, |piece| {
                    text.push_str(utf8(piece)?);
                    Ok(())
                })?;
                Ok(Cow::Owned(text))
            }
        }
    }

    #[inline]
    fn piece(&mut self, len: u64) -> Result<&'de [u8], Mismatch> {
        let len = usize::try_from(len).map_err(|_| CUT)?;
        let (piece, rest) = self.unread.split_at_checked(len).ok_or(CUT)?;
        self.unread = rest;
        Ok(piece)
    }

    fn pieces(
        &mut self,
        whole: u8,
        mut append: impl FnMut(&[u8]) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        while !self.ended() {
            let initial = self.octet()?;
            if initial & MAJOR != whole & MAJOR {
                return Err(Mismatch::expected("a string in pieces of its own type was expected"));
            }
            let len = self.number(initial)?;
            append(self.piece(len)?)?;
        }
        Ok(())
    }

    #[cold]
    fn bignum(&mut self, tag: u64, initial: u8) -> Result<Item<'de>, Mismatch> {
        if initial & MAJOR != major::BYTES {
            return Err(Mismatch::expected("the octets of a big integer were expected"));
        }
        let octets = self.octets(initial)?;
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let digits = &octets[zeros..];
        let mut number = [0; 16];
        let Some(first) = number.len().checked_sub(digits.len()) else {
            return Err(Mismatch::expected("an integer of at most 128 bits was expected"));
        };
        number[first..].copy_from_slice(digits);

        let number = u128::from_be_bytes(number);
        Ok(match (tag, u64::try_from(number)) {
            (UNSIGNED_BIGNUM, Ok(number)) => Item::Unsigned(number),
            (UNSIGNED_BIGNUM, Err(_)) => Item::Unsigned128(number),
            (_, Ok(number)) => Item::Negative(number),
            (_, Err(_)) => Item::Negative128(number),
        })
    }

    #[inline]
    fn simple(&mut self, initial: u8) -> Result<Item<'de>, Mismatch> {
        Ok(match initial {
            FALSE => Item::Bool(false),
            TRUE => Item::Bool(true),
            NULL | UNDEFINED => Item::Null,
            head::HALF => {
                let half = u16::from_be_bytes(head::take(&mut self.unread)?);
                Item::Float(float::double_of(float::single_of_half(half)))
            }
            head::SINGLE => {
                let single = f32::from_be_bytes(head::take(&mut self.unread)?);
                Item::Float(float::double_of(single))
            }
            head::DOUBLE => Item::Float(f64::from_be_bytes(head::take(&mut self.unread)?)),
            _ => return Err(UNKNOWN),
        })
    }
}

fn utf8(octets: &[u8]) -> Result<&str, Mismatch> {
    str::from_utf8(octets).map_err(|_| Mismatch::expected("UTF-8 was expected"))
}

const MAJOR: u8 = 0xe0;
const UNKNOWN: Mismatch = Mismatch::expected("a data item that RFC 8949 knows was expected");
