//! Layers that compress: fewer bytes on the wire, at the cost of time.

#[cfg(feature = "bzip2")]
pub(crate) mod bzip2;
mod inflate;
#[cfg(any(feature = "zlib", feature = "zstd"))]
mod kept;
#[cfg(feature = "lz4")]
pub(crate) mod lz4;
#[cfg(feature = "zlib")]
pub(crate) mod zlib;
#[cfg(feature = "zstd")]
pub(crate) mod zstd;
