//! The two forms of numbers in bincode.

use crate::serde_format::{mismatch::Mismatch, packed::form::Form, unread::take};

/// The standard form of bincode 2: numbers up to 250 take one byte, greater ones come after a
/// marker.
pub(super) enum Standard {}

impl Form for Standard {
    const ZIGZAG: bool = true;
    const CHARS_ARE_TEXT: bool = false;

    #[inline]
    fn put<const BYTES: usize>(number: u64, datagram: &mut Vec<u8>) {
        match number {
            0..251 => datagram.push(number as u8),
            251..0x1_0000 => {
                datagram.push(TWO);
                datagram.extend_from_slice(&(number as u16).to_le_bytes());
            }
            0x1_0000..0x1_0000_0000 => {
                datagram.push(FOUR);
                datagram.extend_from_slice(&(number as u32).to_le_bytes());
            }
            _ => {
                datagram.push(EIGHT);
                datagram.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    fn put_wide(number: u128, datagram: &mut Vec<u8>) {
        match u64::try_from(number) {
            Ok(number) => Self::put::<8>(number, datagram),
            Err(_) => {
                datagram.push(SIXTEEN);
                datagram.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    #[inline]
    fn take<const BYTES: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch> {
        match take(unread)? {
            [small @ 0..251] => Ok(small.into()),
            [TWO] => Ok(u16::from_le_bytes(take(unread)?).into()),
            [FOUR] if BYTES >= 4 => Ok(u32::from_le_bytes(take(unread)?).into()),
            [EIGHT] if BYTES >= 8 => Ok(u64::from_le_bytes(take(unread)?)),
            _ => Err(Mismatch::new("number out of range of its type")),
        }
    }

    fn take_wide(unread: &mut &[u8]) -> Result<u128, Mismatch> {
        if let [SIXTEEN, rest @ ..] = *unread {
            *unread = rest;
            return Ok(u128::from_le_bytes(take(unread)?));
        }
        Self::take::<8>(unread).map(u128::from)
    }
}

const TWO: u8 = 251;
const FOUR: u8 = 252;
const EIGHT: u8 = 253;
const SIXTEEN: u8 = 254;

/// The form of bincode 1.x: as many bytes as the type has.
pub(super) enum Legacy {}

impl Form for Legacy {
    const ZIGZAG: bool = false;
    const CHARS_ARE_TEXT: bool = false;

    #[inline]
    fn put<const BYTES: usize>(number: u64, datagram: &mut Vec<u8>) {
        datagram.extend_from_slice(&number.to_le_bytes()[..BYTES]);
    }

    fn put_wide(number: u128, datagram: &mut Vec<u8>) {
        datagram.extend_from_slice(&number.to_le_bytes());
    }

    #[inline]
    fn take<const BYTES: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch> {
        let mut bytes = [0; 8];
        bytes[..BYTES].copy_from_slice(&take::<BYTES>(unread)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn take_wide(unread: &mut &[u8]) -> Result<u128, Mismatch> {
        Ok(u128::from_le_bytes(take(unread)?))
    }
}
