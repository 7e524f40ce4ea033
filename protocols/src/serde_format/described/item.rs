//! The kinds of items in formats of the described family.

use std::borrow::Cow;

/// The next item; for an array or map, only its head.
#[allow(dead_code, reason = "the features decide which of them there are")]
pub(crate) enum Item<'de> {
    Unsigned(u64),
    /// The integer -1 minus this number.
    Negative(u64),
    /// The integer of these digits in big-endian order, or -1 minus that.
    Big {
        negative: bool,
        digits: Cow<'de, [u8]>,
    },
    /// Bytes: borrowed, unless they came in several chunks.
    Bytes(Cow<'de, [u8]>),
    /// The bytes of text, not yet checked to be UTF-8.
    Text(Cow<'de, [u8]>),
    /// The number of elements, or `None` if an end mark follows them.
    Array(Option<u64>),
    /// The number of entries, or `None` if an end mark follows them.
    Map(Option<u64>),
    Float(f64),
    Bool(bool),
    Null,
    /// A simple value that is not assigned yet.
    Simple,
    /// Bytes of an application-defined type.
    Extension(i8, &'de [u8]),
}
