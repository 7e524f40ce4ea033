//! LEB128, the form in which postcard writes numbers.

use crate::serde_format::{mismatch::Mismatch, packed::form::Form, unread::take};

/// Numbers in groups of seven bits, the lowest first. Each byte but the last has its top bit set
/// (LEB128).
pub(super) enum Leb128 {}

impl Form for Leb128 {
    const ZIGZAG: bool = true;
    const CHARS_ARE_TEXT: bool = true;

    #[inline]
    fn put<const BYTES: usize>(mut number: u64, datagram: &mut Vec<u8>) {
        while number >= 0x80 {
            datagram.push(number as u8 | 0x80);
            number >>= 7;
        }
        datagram.push(number as u8);
    }

    fn put_wide(mut number: u128, datagram: &mut Vec<u8>) {
        while number >= 0x80 {
            datagram.push(number as u8 | 0x80);
            number >>= 7;
        }
        datagram.push(number as u8);
    }

    #[inline]
    fn take<const BYTES: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch> {
        let mut number = 0;
        for shift in (0..8 * BYTES).step_by(7) {
            let [byte] = take(unread)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return within::<BYTES>(byte, shift).map(|()| number);
            }
        }
        Err(TOO_LONG)
    }

    fn take_wide(unread: &mut &[u8]) -> Result<u128, Mismatch> {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let [byte] = take(unread)?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return within::<16>(byte, shift).map(|()| number);
            }
        }
        Err(TOO_LONG)
    }
}

/// Refuses a last byte with bits that the type does not have.
#[inline]
fn within<const BYTES: usize>(last: u8, shift: usize) -> Result<(), Mismatch> {
    let room = 8 * BYTES - shift;
    if room < 7 && last >> room > 0 { Err(TOO_LONG) } else { Ok(()) }
}

const TOO_LONG: Mismatch = Mismatch::new("number out of range of its type");
