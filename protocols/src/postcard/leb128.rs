use crate::{mismatch::Mismatch, octets::take, packed::Form};

/// Numbers in groups of seven bits, the lowest first, each octet but the last with its top bit set
/// (LEB128).
pub(super) enum Leb128 {}

impl Form for Leb128 {
    const ZIGZAG: bool = true;
    const CHARS_ARE_TEXT: bool = true;

    #[inline]
    fn put<const OCTETS: usize>(mut number: u64, datagram: &mut Vec<u8>) {
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
    fn take<const OCTETS: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch> {
        let mut number = 0;
        for shift in (0..8 * OCTETS).step_by(7) {
            let [octet] = take(unread)?;
            number |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return within::<OCTETS>(octet, shift).map(|()| number);
            }
        }
        Err(TOO_LONG)
    }

    fn take_wide(unread: &mut &[u8]) -> Result<u128, Mismatch> {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let [octet] = take(unread)?;
            number |= u128::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return within::<16>(octet, shift).map(|()| number);
            }
        }
        Err(TOO_LONG)
    }
}

/// Refuses a last octet with bits that the type has not.
#[inline]
fn within<const OCTETS: usize>(last: u8, shift: usize) -> Result<(), Mismatch> {
    let room = 8 * OCTETS - shift;
    if room < 7 && last >> room > 0 { Err(TOO_LONG) } else { Ok(()) }
}

const TOO_LONG: Mismatch = Mismatch::expected("a number that its type can hold was expected");
