//! Layers: they change the bytes of a protocol.

#[cfg(feature = "base64")]
pub(crate) mod base64;
pub(crate) mod compress;
#[cfg(feature = "crc32c")]
pub(crate) mod crc32c;
pub(crate) mod interface;
#[cfg(any(feature = "sealed", feature = "signed"))]
pub(crate) mod key;
pub(crate) mod prefix;
#[cfg(any(
    feature = "base64",
    feature = "bzip2",
    feature = "lz4",
    feature = "zlib",
    feature = "zstd"
))]
mod replace;
#[cfg(feature = "sealed")]
pub(crate) mod sealed;
#[cfg(feature = "sealed")]
pub(crate) mod sealing_key;
#[cfg(feature = "sha256")]
pub(crate) mod sha256;
#[cfg(feature = "signed")]
pub(crate) mod signed;
#[cfg(feature = "signed")]
pub(crate) mod signing_key;
