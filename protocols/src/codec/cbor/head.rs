//! The head of a data item (RFC 8949, section 3): its major type, and an argument in 0 to 8 bytes.

use crate::serde_format::{mismatch::Mismatch, unread::take};

/// The major types, in the upper three bits of the first byte.
pub(super) mod major {
    pub(in super::super) const UNSIGNED: u8 = 0 << 5;
    pub(in super::super) const NEGATIVE: u8 = 1 << 5;
    pub(in super::super) const BYTES: u8 = 2 << 5;
    pub(in super::super) const TEXT: u8 = 3 << 5;
    pub(in super::super) const ARRAY: u8 = 4 << 5;
    pub(in super::super) const MAP: u8 = 5 << 5;
    pub(in super::super) const TAG: u8 = 6 << 5;

    /// The bits of the first byte that hold the major type.
    pub(in super::super) const MASK: u8 = 7 << 5;
}

// Heads of one byte, and heads of floats. The values before `FALSE` are not assigned yet.
pub(super) const FIRST_SIMPLE: u8 = 0xe0;
pub(super) const FALSE: u8 = 0xf4;
pub(super) const TRUE: u8 = 0xf5;
pub(super) const NULL: u8 = 0xf6;
pub(super) const UNDEFINED: u8 = 0xf7;
pub(super) const SIMPLE: u8 = 0xf8;
pub(super) const HALF: u8 = 0xf9;
pub(super) const SINGLE: u8 = 0xfa;
pub(super) const DOUBLE: u8 = 0xfb;
pub(super) const BREAK: u8 = 0xff;

// The lowest simple value of two bytes (RFC 8949, section 3.3). None of them is assigned yet.
pub(super) const FIRST_OF_TWO: u8 = 32;

// Tags of integers beyond 64 bits (RFC 8949, section 3.4.3).
pub(super) const UNSIGNED_BIGNUM: u64 = 2;
pub(super) const NEGATIVE_BIGNUM: u64 = 3;

/// Appends the shortest head.
#[inline]
pub(super) fn write(datagram: &mut Vec<u8>, major: u8, argument: u64) {
    match argument {
        0..24 => datagram.push(major | argument as u8),
        24..0x100 => datagram.extend_from_slice(&[major | 24, argument as u8]),
        0x100..0x1_0000 => with_argument(datagram, major | 25, (argument as u16).to_be_bytes()),
        0x1_0000..0x1_0000_0000 => {
            with_argument(datagram, major | 26, (argument as u32).to_be_bytes());
        }
        _ => with_argument(datagram, major | 27, argument.to_be_bytes()),
    }
}

/// Appends a head with these bytes as its argument.
#[inline]
pub(super) fn with_argument<const N: usize>(
    datagram: &mut Vec<u8>,
    initial: u8,
    argument: [u8; N],
) {
    datagram.push(initial);
    datagram.extend_from_slice(&argument);
}

/// Takes the argument of a head that began with `initial`; `None` for an indefinite length.
#[inline]
pub(super) fn argument(initial: u8, unread: &mut &[u8]) -> Result<Option<u64>, Mismatch> {
    Ok(Some(match initial & 0x1f {
        short @ 0..24 => short.into(),
        24 => take::<1>(unread)?[0].into(),
        25 => u16::from_be_bytes(take(unread)?).into(),
        26 => u32::from_be_bytes(take(unread)?).into(),
        27 => u64::from_be_bytes(take(unread)?),
        31 => return Ok(None),
        _ => return Err(UNKNOWN),
    }))
}

pub(super) const UNKNOWN: Mismatch = Mismatch::new("not a data item of RFC 8949");
