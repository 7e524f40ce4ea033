//! Numbers in a fixed layout: as many bytes as the type has, in one order.

use crate::serde_format::{mismatch::Mismatch, packed::form::Form, unread::take};

/// In network order, or with the least significant byte first. To measure a type is another form, so that the compiler
/// sees one caller of what decodes packets, and inlines it.
pub(super) enum Layout<const NETWORK: bool, const MEASURES: bool = false> {}

impl<const NETWORK: bool, const MEASURES: bool> Form for Layout<NETWORK, MEASURES> {
    const ZIGZAG: bool = false;
    const CHARS_ARE_TEXT: bool = false;
    const SIZED: bool = true;

    #[inline]
    fn put<const BYTES: usize>(number: u64, datagram: &mut Vec<u8>) {
        if NETWORK {
            datagram.extend_from_slice(&number.to_be_bytes()[8 - BYTES..]);
        } else {
            datagram.extend_from_slice(&number.to_le_bytes()[..BYTES]);
        }
    }

    #[inline]
    fn put_wide(number: u128, datagram: &mut Vec<u8>) {
        let bytes = if NETWORK { number.to_be_bytes() } else { number.to_le_bytes() };
        datagram.extend_from_slice(&bytes);
    }

    #[inline]
    fn take<const BYTES: usize>(unread: &mut &[u8]) -> Result<u64, Mismatch> {
        let mut bytes = [0; 8];
        if NETWORK {
            bytes[8 - BYTES..].copy_from_slice(&take::<BYTES>(unread)?);
            Ok(u64::from_be_bytes(bytes))
        } else {
            bytes[..BYTES].copy_from_slice(&take::<BYTES>(unread)?);
            Ok(u64::from_le_bytes(bytes))
        }
    }

    #[inline]
    fn take_wide(unread: &mut &[u8]) -> Result<u128, Mismatch> {
        let bytes = take(unread)?;
        Ok(if NETWORK { u128::from_be_bytes(bytes) } else { u128::from_le_bytes(bytes) })
    }

    #[inline]
    fn put_plain<const BYTES: usize>(mut bytes: [u8; BYTES], datagram: &mut Vec<u8>) {
        if NETWORK {
            bytes.reverse();
        }
        datagram.extend_from_slice(&bytes);
    }

    #[inline]
    fn take_plain<const BYTES: usize>(unread: &mut &[u8]) -> Result<[u8; BYTES], Mismatch> {
        let mut bytes = take(unread)?;
        if NETWORK {
            bytes.reverse();
        }
        Ok(bytes)
    }
}
