//! How formats of the described family differ.

use super::item::Item;
use crate::serde_format::mismatch::Mismatch;

/// How a format writes items.
///
/// What takes is to take nothing, or a whole item, or an array's or map's head. What appends returns an
/// error only for lengths that the format cannot tell.
pub(crate) trait Notation {
    /// Whether a struct may be an array of its fields, a unit struct an empty one, a variant its place, text bytes,
    /// and bytes text.
    const LENIENT: bool;

    /// Whether items may have a tag, as `ciborium::tag` asks for them.
    const TAGS: bool;

    /// Whether there are extensions, as `rmp_serde` has them.
    const EXTENSIONS: bool;

    /// The highest number that is an item of one byte, as are all below it.
    const SMALL: u8;

    /// How many bytes the longest text may have of which the length is a part of the first byte.
    const SHORT: u8;

    /// That byte, of the text of no length.
    const SHORT_TEXT: u8;

    /// The byte that comes before a float of double precision, in network order.
    const DOUBLE: u8;

    /// Takes the next item, whatever it is.
    fn item<'de>(unread: &mut &'de [u8]) -> Result<Item<'de>, Mismatch>;

    /// Takes what stands for nothing, if that is next.
    fn null(unread: &mut &[u8]) -> bool;

    /// Takes the end of an array or map whose length was not told, if that is next.
    fn ended(_: &mut &[u8]) -> bool {
        false
    }

    /// Takes a tag, if one is next.
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
