//! The formats of MessagePack's specification.

use std::borrow::Cow;

use crate::serde_format::{
    described::{float, item::Item, notation::Notation},
    mismatch::Mismatch,
    unread::{piece, take},
};

pub(super) enum Markers {}

impl Notation for Markers {
    const LENIENT: bool = true;
    const TAGS: bool = false;
    const EXTENSIONS: bool = true;
    const SMALL: u8 = 0x7f;
    const SHORT: u8 = 31;
    const SHORT_TEXT: u8 = FIXSTR;
    const DOUBLE: u8 = FLOAT_64;

    #[inline]
    fn item<'de>(unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch> {
        let [marker] = take(unread)?;
        Ok(match marker {
            0..FIXMAP => Item::Unsigned(marker.into()),
            FIXMAP..FIXARRAY => Item::Map(Some((marker - FIXMAP).into())),
            FIXARRAY..FIXSTR => Item::Array(Some((marker - FIXARRAY).into())),
            FIXSTR..NIL => text((marker - FIXSTR).into(), unread)?,
            NIL => Item::Null,
            FALSE => Item::Bool(false),
            TRUE => Item::Bool(true),
            BIN_8 => bytes(number::<1>(unread)?, unread)?,
            BIN_16 => bytes(number::<2>(unread)?, unread)?,
            BIN_32 => bytes(number::<4>(unread)?, unread)?,
            EXT_8 => extension(number::<1>(unread)?, unread)?,
            EXT_16 => extension(number::<2>(unread)?, unread)?,
            EXT_32 => extension(number::<4>(unread)?, unread)?,
            FLOAT_32 => Item::Float(float::double_of(f32::from_be_bytes(take(unread)?))),
            FLOAT_64 => Item::Float(f64::from_be_bytes(take(unread)?)),
            UINT_8 => Item::Unsigned(number::<1>(unread)?),
            UINT_16 => Item::Unsigned(number::<2>(unread)?),
            UINT_32 => Item::Unsigned(number::<4>(unread)?),
            UINT_64 => Item::Unsigned(number::<8>(unread)?),
            INT_8 => signed(i8::from_be_bytes(take(unread)?).into()),
            INT_16 => signed(i16::from_be_bytes(take(unread)?).into()),
            INT_32 => signed(i32::from_be_bytes(take(unread)?).into()),
            INT_64 => signed(i64::from_be_bytes(take(unread)?)),
            FIXEXT_1..=FIXEXT_16 => extension(1 << (marker - FIXEXT_1), unread)?,
            STR_8 => text(number::<1>(unread)?, unread)?,
            STR_16 => text(number::<2>(unread)?, unread)?,
            STR_32 => text(number::<4>(unread)?, unread)?,
            ARRAY_16 => Item::Array(Some(number::<2>(unread)?)),
            ARRAY_32 => Item::Array(Some(number::<4>(unread)?)),
            MAP_16 => Item::Map(Some(number::<2>(unread)?)),
            MAP_32 => Item::Map(Some(number::<4>(unread)?)),
            NEGATIVE_FIXINT.. => signed((marker as i8).into()),
            NEVER_USED => return Err(Mismatch::new("the format byte 0xc1 is reserved")),
        })
    }

    /// Takes nil, or the extension of type 0 with the byte 0, which notepack and msgpackr write for
    /// JavaScript's `undefined`.
    #[inline]
    fn null(unread: &mut &[u8]) -> bool {
        match *unread {
            [NIL, rest @ ..] | [FIXEXT_1, 0, 0, rest @ ..] | [EXT_8, 1, 0, 0, rest @ ..] => {
                *unread = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn put_unsigned(number: u64, datagram: &mut Vec<u8>) {
        match number {
            0..0x80 => datagram.push(number as u8),
            0x80..0x100 => datagram.extend_from_slice(&[UINT_8, number as u8]),
            0x100..0x1_0000 => put(UINT_16, (number as u16).to_be_bytes(), datagram),
            0x1_0000..0x1_0000_0000 => put(UINT_32, (number as u32).to_be_bytes(), datagram),
            _ => put(UINT_64, number.to_be_bytes(), datagram),
        }
    }

    #[inline]
    fn put_signed(number: i64, datagram: &mut Vec<u8>) {
        match number {
            0.. => Self::put_unsigned(number as u64, datagram),
            -0x20.. => datagram.push(number as u8),
            -0x80.. => datagram.extend_from_slice(&[INT_8, number as u8]),
            -0x8000.. => put(INT_16, (number as i16).to_be_bytes(), datagram),
            -0x8000_0000.. => put(INT_32, (number as i32).to_be_bytes(), datagram),
            _ => put(INT_64, number.to_be_bytes(), datagram),
        }
    }

    // MessagePack has no integer of 128 bits. It is 16 bytes of binary here, as in `rmp_serde`.

    fn put_unsigned_128(number: u128, datagram: &mut Vec<u8>) {
        put(BIN_8, [16], datagram);
        datagram.extend_from_slice(&number.to_be_bytes());
    }

    fn put_signed_128(number: i128, datagram: &mut Vec<u8>) {
        Self::put_unsigned_128(number as u128, datagram);
    }

    #[inline]
    fn put_single(float: f32, datagram: &mut Vec<u8>) {
        put(FLOAT_32, float.to_be_bytes(), datagram);
    }

    #[inline]
    fn put_double(float: f64, datagram: &mut Vec<u8>) {
        put(FLOAT_64, float.to_be_bytes(), datagram);
    }

    fn put_bool(value: bool, datagram: &mut Vec<u8>) {
        datagram.push(if value { TRUE } else { FALSE });
    }

    fn put_null(datagram: &mut Vec<u8>) {
        datagram.push(NIL);
    }

    fn put_unit_struct(datagram: &mut Vec<u8>) {
        datagram.push(FIXARRAY);
    }

    #[inline]
    fn put_text(text: &str, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        match len(text.len())? {
            short @ 0..32 => datagram.push(FIXSTR | short as u8),
            len => put_len([STR_8, STR_16, STR_32], len, datagram),
        }
        datagram.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn put_bytes(bytes: &[u8], datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        put_len([BIN_8, BIN_16, BIN_32], len(bytes.len())?, datagram);
        datagram.extend_from_slice(bytes);
        Ok(())
    }

    fn put_extension(kind: i8, bytes: &[u8], datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        match len(bytes.len())? {
            short @ (1 | 2 | 4 | 8 | 16) => datagram.push(FIXEXT_1 + short.trailing_zeros() as u8),
            len => put_len([EXT_8, EXT_16, EXT_32], len, datagram),
        }
        datagram.push(kind as u8);
        datagram.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn put_array(elements: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        match len(elements)? {
            short @ 0..16 => datagram.push(FIXARRAY | short as u8),
            len @ 16..0x1_0000 => put(ARRAY_16, (len as u16).to_be_bytes(), datagram),
            len => put(ARRAY_32, len.to_be_bytes(), datagram),
        }
        Ok(())
    }

    #[inline]
    fn put_map(entries: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
        match len(entries)? {
            short @ 0..16 => datagram.push(FIXMAP | short as u8),
            len @ 16..0x1_0000 => put(MAP_16, (len as u16).to_be_bytes(), datagram),
            len => put(MAP_32, len.to_be_bytes(), datagram),
        }
        Ok(())
    }
}

/// Takes a number of `N` bytes, in network order.
#[inline]
fn number<const N: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch> {
    let mut number = [0; 8];
    number[8 - N..].copy_from_slice(&take::<N>(unread)?);
    Ok(u64::from_be_bytes(number))
}

#[inline]
const fn signed<'de>(number: i64) -> Item<'de> {
    if number < 0 { Item::Negative(!number as u64) } else { Item::Unsigned(number as u64) }
}

#[inline]
fn text<'de>(len: u64, unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch> {
    Ok(Item::Text(Cow::Borrowed(piece(unread, len)?)))
}

#[inline]
fn bytes<'de>(len: u64, unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch> {
    Ok(Item::Bytes(Cow::Borrowed(piece(unread, len)?)))
}

fn extension<'de>(len: u64, unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch> {
    let [kind] = take(unread)?;
    Ok(Item::Extension(kind as i8, piece(unread, len)?))
}

fn len(len: usize) -> Result<u32, Mismatch> {
    u32::try_from(len).map_err(|_| Mismatch::new("length has more than 32 bits"))
}

/// Appends a length of 8, 16 or 32 bits, after the marker that says which.
fn put_len(markers: [u8; 3], len: u32, datagram: &mut Vec<u8>) {
    match len {
        0..0x100 => put(markers[0], [len as u8], datagram),
        0x100..0x1_0000 => put(markers[1], (len as u16).to_be_bytes(), datagram),
        _ => put(markers[2], len.to_be_bytes(), datagram),
    }
}

#[inline]
fn put<const N: usize>(marker: u8, bytes: [u8; N], datagram: &mut Vec<u8>) {
    datagram.push(marker);
    datagram.extend_from_slice(&bytes);
}

// Markers with `FIX` hold a number or a length in their lower bits.
const FIXMAP: u8 = 0x80;
const FIXARRAY: u8 = 0x90;
const FIXSTR: u8 = 0xa0;
const NIL: u8 = 0xc0;
const NEVER_USED: u8 = 0xc1;
const FALSE: u8 = 0xc2;
const TRUE: u8 = 0xc3;
const BIN_8: u8 = 0xc4;
const BIN_16: u8 = 0xc5;
const BIN_32: u8 = 0xc6;
const EXT_8: u8 = 0xc7;
const EXT_16: u8 = 0xc8;
const EXT_32: u8 = 0xc9;
const FLOAT_32: u8 = 0xca;
const FLOAT_64: u8 = 0xcb;
const UINT_8: u8 = 0xcc;
const UINT_16: u8 = 0xcd;
const UINT_32: u8 = 0xce;
const UINT_64: u8 = 0xcf;
const INT_8: u8 = 0xd0;
const INT_16: u8 = 0xd1;
const INT_32: u8 = 0xd2;
const INT_64: u8 = 0xd3;
const FIXEXT_1: u8 = 0xd4;
const FIXEXT_16: u8 = 0xd8;
const STR_8: u8 = 0xd9;
const STR_16: u8 = 0xda;
const STR_32: u8 = 0xdb;
const ARRAY_16: u8 = 0xdc;
const ARRAY_32: u8 = 0xdd;
const MAP_16: u8 = 0xde;
const MAP_32: u8 = 0xdf;
const NEGATIVE_FIXINT: u8 = 0xe0;
