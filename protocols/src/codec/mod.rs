//! Codecs: protocols that turn packets into bytes without an inner protocol.

#[cfg(feature = "bincode")]
pub(crate) mod bincode;
#[cfg(feature = "bincode-derive")]
pub(crate) mod bincode_derive;
#[cfg(feature = "cbor")]
pub(crate) mod cbor;
#[cfg(feature = "fixed")]
pub(crate) mod fixed;
#[cfg(feature = "json")]
pub(crate) mod json;
#[cfg(feature = "msgpack")]
pub(crate) mod msgpack;
#[cfg(feature = "postcard")]
pub(crate) mod postcard;
#[cfg(feature = "protobuf")]
pub(crate) mod protobuf;
pub(crate) mod raw;
pub(crate) mod text;
pub(crate) mod text_line;
