//! The differences between formats of the described family.

use super::item::Item;
use crate::serde_format::mismatch::Mismatch;

/// How a format writes items.
///
/// A method that takes bytes must take nothing, or a whole item, or the head of an array or map. A
/// method that appends bytes returns an error only for a length that the format cannot express.
pub(crate) trait Notation {
    /// Whether these are allowed: an array of its fields for a struct, an empty array for a unit
    /// struct, its index for a variant, bytes for text, and text for bytes.
    const LENIENT: bool;

    /// Whether items may have a tag, which `ciborium::tag` can ask for.
    const TAGS: bool;

    /// Whether the format has extensions, in the way of `rmp_serde`.
    const EXTENSIONS: bool;

    /// The greatest number that is an item of one byte, like all smaller ones.
    const SMALL: u8;

    /// The greatest length of text, in bytes, that fits into the first byte.
    const SHORT: u8;

    /// The first byte of the empty text.
    const SHORT_TEXT: u8;

    /// The byte before a float of double precision, which is in network order.
    const DOUBLE: u8;

    /// Takes the next item of any kind.
    fn item<'de>(unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch>;

    /// Takes the item for "no value" if it is next.
    fn null(unread: &mut &[u8]) -> bool;

    /// Takes the end of an array or map of unknown length if it is next.
    fn ended(_: &mut &[u8]) -> bool {
        false
    }

    /// Takes a tag if one is next.
    fn tag(_: &mut &[u8]) -> Result<Option<u64>, Mismatch> {
        Ok(None)
    }

    fn put_tag(_: u64, _: &mut Vec<u8>) {}

    fn put_unsigned(number: u64, datagram: &mut Vec<u8>);

    fn put_signed(number: i64, datagram: &mut Vec<u8>);

    fn put_unsigned_128(number: u128, datagram: &mut Vec<u8>);

    fn put_signed_128(number: i128, datagram: &mut Vec<u8>);

    fn put_single(float: f32, datagram: &mut Vec<u8>);

    fn put_double(float: f64, datagram: &mut Vec<u8>);

    fn put_bool(value: bool, datagram: &mut Vec<u8>);

    fn put_null(datagram: &mut Vec<u8>);

    fn put_unit_struct(datagram: &mut Vec<u8>);

    fn put_text(text: &str, datagram: &mut Vec<u8>) -> Result<(), Mismatch>;

    fn put_bytes(bytes: &[u8], datagram: &mut Vec<u8>) -> Result<(), Mismatch>;

    fn put_extension(_: i8, _: &[u8], _: &mut Vec<u8>) -> Result<(), Mismatch> {
        Ok(())
    }

    /// Appends the head of an array.
    fn put_array(elements: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch>;

    /// Appends the head of a map.
    fn put_map(entries: usize, datagram: &mut Vec<u8>) -> Result<(), Mismatch>;
}
