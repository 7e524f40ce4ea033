//! Formats of serde types: the two families of formats, and what they share.

#[cfg(any(feature = "cbor", feature = "json", feature = "msgpack"))]
pub(crate) mod beyond;
#[cfg(any(feature = "cbor", feature = "msgpack"))]
pub(crate) mod described;
#[cfg(any(
    feature = "bincode",
    feature = "cbor",
    feature = "fixed",
    feature = "json",
    feature = "msgpack",
    feature = "postcard"
))]
pub(crate) mod mismatch;
#[cfg(any(feature = "bincode", feature = "fixed", feature = "postcard"))]
pub(crate) mod packed;
#[cfg(any(
    feature = "bincode",
    feature = "cbor",
    feature = "fixed",
    feature = "msgpack",
    feature = "postcard"
))]
pub(crate) mod unread;
