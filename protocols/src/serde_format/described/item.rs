//! The kinds of items that formats of the described family have.

use std::borrow::Cow;

/// What the next bytes are; of an array or map, what its head says.
#[allow(dead_code, reason = "the features decide which of them there are")]
pub(crate) enum Item<'de> {
    Unsigned(u64),
    /// An integer of -1 minus this.
    Negative(u64),
    /// An integer of these digits, big-endian, or of -1 minus that.
    Big {
        negative: bool,
        digits: Cow<'de, [u8]>,
    },
    /// Bytes, in one piece unless they came in several.
    Bytes(Cow<'de, [u8]>),
    /// The bytes of text, not yet checked to be UTF-8.
    Text(Cow<'de, [u8]>),
    /// So many elements follow, or what ends them.
    Array(Option<u64>),
    /// So many entries follow, or what ends them.
    Map(Option<u64>),
    Float(f64),
    Bool(bool),
    Null,
    /// A value without content that nobody has assigned a meaning yet.
    Simple,
    /// Bytes of an application's own type.
    Extension(i8, &'de [u8]),
}
