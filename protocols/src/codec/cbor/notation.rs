//! The data items of RFC 8949.

use std::borrow::Cow;

use super::{
    half,
    head::{
        self, BREAK, DOUBLE, FALSE, FIRST_OF_TWO, FIRST_SIMPLE, HALF, NEGATIVE_BIGNUM, NULL,
        SIMPLE, SINGLE, TRUE, UNDEFINED, UNKNOWN, UNSIGNED_BIGNUM, major,
    },
};
use crate::serde_format::{
    described::{float, item::Item, notation::Notation},
    mismatch::Mismatch,
    unread::{piece, take, utf8},
};

pub(super) enum Rfc8949 {}

impl Notation for Rfc8949 {
    const LENIENT: bool = false;
    const TAGS: bool = true;
    const EXTENSIONS: bool = false;
    const SMALL: u8 = 23;
    const SHORT: u8 = 23;
    const SHORT_TEXT: u8 = major::TEXT;
    const DOUBLE: u8 = DOUBLE;

    /// Without the tags around it.
    #[inline]
    fn item<'de>(unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch> {
        let [mut initial] = take(unread)?;
        while initial & major::MASK == major::TAG {
            let tag = number(initial, unread)?;
            [initial] = take(unread)?;
            if let UNSIGNED_BIGNUM | NEGATIVE_BIGNUM = tag {
                return bignum(tag, initial, unread);
            }
        }
        Ok(match initial & major::MASK {
            major::UNSIGNED => Item::Unsigned(number(initial, unread)?),
            major::NEGATIVE => Item::Negative(number(initial, unread)?),
            major::BYTES => Item::Bytes(bytes(initial, unread)?),
            major::TEXT => Item::Text(bytes(initial, unread)?),
            major::ARRAY => Item::Array(head::argument(initial, unread)?),
            major::MAP => Item::Map(head::argument(initial, unread)?),
            _ => return simple(initial, unread),
        })
    }

    /// With the tags around it.
    #[inline]
    fn null(unread: &mut &[u8]) -> bool {
        match *unread {
            [initial, ..] if initial & major::MASK == major::TAG => tagged_null(unread),
            _ => one_of([NULL, UNDEFINED], unread),
        }
    }

    #[inline]
    fn ended(unread: &mut &[u8]) -> bool {
        one_of([BREAK; 2], unread)
    }

    fn tag(unread: &mut &[u8]) -> Result<Option<u64>, Mismatch> {
        match *unread {
            [initial, rest @ ..] if initial & major::MASK == major::TAG => {
                *unread = rest;
                number(*initial, unread).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn put_tag(tag: u64, datagram: &mut Vec<u8>) {
        head::write(datagram, major::TAG, tag);
    }

    #[inline]
    fn put_unsigned(number: u64, datagram: &mut Vec<u8>) {
        head::write(datagram, major::UNSIGNED, number);
    }

    #[inline]
    fn put_signed(number: i64, datagram: &mut Vec<u8>) {
        match u64::try_from(number) {
            Ok(number) => head::write(datagram, major::UNSIGNED, number),
            Err(_) => head::write(datagram, major::NEGATIVE, !number as u64),
        }
    }

    fn put_unsigned_128(number: u128, datagram: &mut Vec<u8>) {
        put_integer(major::UNSIGNED, UNSIGNED_BIGNUM, number, datagram);
    }

    fn put_signed_128(number: i128, datagram: &mut Vec<u8>) {
        match u128::try_from(number) {
            Ok(number) => Self::put_unsigned_128(number, datagram),
            Err(_) => put_integer(major::NEGATIVE, NEGATIVE_BIGNUM, !number as u128, datagram),
        }
    }

    fn put_single(single: f32, datagram: &mut Vec<u8>) {
        match half::half_of(single) {
            Some(half) => head::with_argument(datagram, HALF, half.to_be_bytes()),
            None => head::with_argument(datagram, SINGLE, single.to_be_bytes()),
        }
    }

    fn put_double(double: f64, datagram: &mut Vec<u8>) {
        match float::single_of(double) {
            Some(single) => Self::put_single(single, datagram),
            None => head::with_argument(datagram, DOUBLE, double.to_be_bytes()),
        }
    }

    fn put_bool(value: bool, datagram: &mut Vec<u8>) {
        datagram.push(if value { TRUE } else { FALSE });
    }

    fn put_null(datagram: &mut Vec<u8>) {
        datagram.push(NULL);
    }

    fn put_unit_struct(datagram: &mut Vec<u8>) {
        Self::put_null(datagram);
    }

    #[inline]
    fn put_text(text: &str, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        head::write(datagram, major::TEXT, text.len() as u64);
        datagram.extend_from_slice(text.as_bytes());
        Ok(())
    }

    #[inline]
    fn put_bytes(bytes: &[u8], datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        head::write(datagram, major::BYTES, bytes.len() as u64);
        datagram.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn put_array(elements: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        head::write(datagram, major::ARRAY, elements as u64);
        Ok(())
    }

    #[inline]
    fn put_map(entries: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        head::write(datagram, major::MAP, entries as u64);
        Ok(())
    }
}

/// Returns the integer `number`, or -1 - `number`.
fn put_integer(major: u8, bignum: u64, number: u128, datagram: &mut Vec<u8>) {
    match u64::try_from(number) {
        Ok(number) => head::write(datagram, major, number),
        Err(_) => {
            let digits = &number.to_be_bytes()[number.leading_zeros() as usize / 8..];
            head::write(datagram, major::TAG, bignum);
            head::write(datagram, major::BYTES, digits.len() as u64);
            datagram.extend_from_slice(digits);
        }
    }
}

#[inline]
fn one_of(initials: [u8; 2], unread: &mut &[u8]) -> bool {
    match *unread {
        [initial, rest @ ..] if initials.contains(initial) => {
            *unread = rest;
            true
        }
        _ => false,
    }
}

#[cold]
fn tagged_null(unread: &mut &[u8]) -> bool {
    let mut rest = *unread;
    let is_null = loop {
        match Rfc8949::tag(&mut rest) {
            Ok(Some(UNSIGNED_BIGNUM | NEGATIVE_BIGNUM)) | Err(_) => break false,
            Ok(Some(_)) => {}
            Ok(None) => break one_of([NULL, UNDEFINED], &mut rest),
        }
    };
    if is_null {
        *unread = rest;
    }
    is_null
}

#[inline]
fn number(initial: u8, unread: &mut &[u8]) -> Result<u64, Mismatch> {
    head::argument(initial, unread)?.ok_or(UNKNOWN)
}

/// Takes the bytes of a byte string or text: borrowed, unless the length is indefinite.
#[inline]
fn bytes<'de>(initial: u8, unread: &mut &'de [u8]) -> Result<Cow<'de, [u8]>, Mismatch> {
    if let Some(len) = head::argument(initial, unread)? {
        return piece(unread, len).map(Cow::Borrowed);
    }
    pieces(initial, unread).map(Cow::Owned)
}

#[cold]
fn pieces(whole: u8, unread: &mut &[u8]) -> Result<Vec<u8>, Mismatch> {
    let mut bytes = Vec::new();
    while !Rfc8949::ended(unread) {
        let [initial] = take(unread)?;
        if initial & major::MASK != whole & major::MASK {
            return Err(Mismatch::new("a chunk of the string has another type"));
        }
        let len = number(initial, unread)?;
        let piece = piece(unread, len)?;
        if whole & major::MASK == major::TEXT {
            // Each chunk is text by itself (RFC 8949, section 3.2.3).
            utf8(piece)?;
        }
        bytes.extend_from_slice(piece);
    }
    Ok(bytes)
}

#[cold]
fn bignum<'de>(tag: u64, initial: u8, unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch> {
    if initial & major::MASK != major::BYTES {
        return Err(Mismatch::new("a big integer has no bytes"));
    }
    let digits = bytes(initial, unread)?;
    Ok(Item::Big { negative: tag == NEGATIVE_BIGNUM, digits })
}

#[inline]
fn simple<'de>(initial: u8, unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch> {
    Ok(match initial {
        FALSE => Item::Bool(false),
        TRUE => Item::Bool(true),
        NULL | UNDEFINED => Item::Null,
        HALF => {
            let half = u16::from_be_bytes(take(unread)?);
            Item::Float(float::double_of(half::single_of_half(half)))
        }
        SINGLE => Item::Float(float::double_of(f32::from_be_bytes(take(unread)?))),
        DOUBLE => Item::Float(f64::from_be_bytes(take(unread)?)),
        FIRST_SIMPLE..FALSE => Item::Simple,
        SIMPLE => match take(unread)? {
            [number] if number >= FIRST_OF_TWO => Item::Simple,
            _ => return Err(UNKNOWN),
        },
        _ => return Err(UNKNOWN),
    })
}
