//! Layers that compress: fewer bytes on the wire, at the cost of time.

// This module has no `cfg` of its own: rustdoc would show it as what each of the layers needs.
#[cfg(feature = "bzip2")]
pub(crate) mod bzip2;
#[cfg(any(feature = "bzip2", feature = "lz4", feature = "zlib", feature = "zstd"))]
mod inflate;
#[cfg(any(feature = "zlib", feature = "zstd"))]
mod kept;
#[cfg(feature = "lz4")]
pub(crate) mod lz4;
#[cfg(feature = "zlib")]
pub(crate) mod zlib;
#[cfg(feature = "zstd")]
pub(crate) mod zstd;
