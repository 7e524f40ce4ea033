//! Datagrams to typed packets and back: codecs and converters without a socket, task, clock or
//! thread.
//!
//! A *datagram* is the bytes the network carries in one piece, a *packet* the typed value it
//! stands for. A [`DatagramProtocol`] maps one to the other, and that is all there is to it:
//! `&[u8]` in, a packet out, and back. So a protocol can be tested with literals, fuzzed, and used
//! over any transport. The servers and clients that put one on the network are in the crate
//! `datagrammar`.
//!
//! # The map
//!
//! | you want | use | feature |
//! | --- | --- | --- |
//! | bytes as they are | [`Raw`] | |
//! | UTF-8 text as it is | [`Text`] | |
//! | a line of text, without its terminator | [`TextLine`] | |
//! | JSON of serde types | `Json` | `json` (default) |
//! | CBOR of serde types | `Cbor` | `cbor` |
//! | MessagePack of serde types | `Msgpack` | `msgpack` |
//! | postcard's wire format of serde types, the smallest | `Postcard` | `postcard` |
//! | bincode's wire format of serde types | `Bincode` | `bincode` |
//! | fields of fixed size, one after another | `Fixed`, with `FixedText` | `fixed` |
//! | Protocol Buffers of prost's types | `Protobuf` | `protobuf` |
//! | your own types instead of those on the wire | [`DatagramProtocol::convert`] with a [`Converter`] | |
//! | other bytes on the wire, with a [`Layer`] | [`DatagramProtocol::layer`] | |
//! | first bytes that tell your datagrams from others | [`Prefix`] | |
//! | several protocols on one port | [`DatagramProtocol::or`], with [`DatagramProtocol::when`] | |
//! | fewer bytes, for everyone | `Zlib` | `zlib` |
//! | fewer bytes, with a dictionary that both sides have | `Zstd` | `zstd` |
//! | fewer bytes, for next to no time | `Lz4` | `lz4` |
//! | fewer bytes, for who speaks it already | `Bzip2` | `bzip2` |
//! | datagrams that are text | `Base64` | `base64` |
//! | accidents found, for 4 bytes or for 32 | `Crc32c`, `Sha256Digest` | `crc32c`, `sha256` |
//! | nobody heard who has not your key | `Signed` with a `SigningKey` | `signed` |
//! | nor anything read | `Sealed` with a `SealingKey` | `sealed` |
//! | packets that were recorded and sent again refused | [`ReplayWindow`], in a handler | |
//! | one protocol to receive, another to send | [`Split`] | |
//! | a protocol chosen at run time | `Box<dyn DatagramProtocol<Incoming = …, Outgoing = …>>` | |
//! | a format of your own | an implementation of [`DatagramProtocol`] | |
//! | to test that | `testing::Conformance` | `testing` |
//!
//! What goes wrong is a [`DecodeError`] or an [`EncodeError`], whatever the protocol is made of.
//!
//! # A protocol by hand
//!
//! The Time Protocol ([RFC 868]), as a server sees it. A request is the empty datagram, the
//! response is the number of seconds since 1900 in 32 bits, big-endian:
//!
//! ```
//! use datagrammar_protocols::{DatagramProtocol, DecodeError, EncodeError};
//!
//! struct Time;
//!
//! impl DatagramProtocol for Time {
//!     type Incoming = ();
//!     type Outgoing = u32;
//!
//!     fn decode(&self, datagram: &[u8]) -> Result<(), DecodeError> {
//!         if !datagram.is_empty() {
//!             return Err(DecodeError::codec("the datagram is not empty"));
//!         }
//!         Ok(())
//!     }
//!
//!     fn encode(&self, seconds: &u32, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
//!         datagram.extend_from_slice(&seconds.to_be_bytes());
//!         Ok(())
//!     }
//! }
//!
//! let mut datagram = Vec::new();
//! Time.encode(&2_208_988_800, &mut datagram)?; // 1 January 1970, the example of the RFC
//!
//! assert_eq!(datagram, [0x83, 0xaa, 0x7e, 0x80]);
//! assert!(Time.decode(b"").is_ok());
//! assert!(Time.decode(b"?").is_err());
//! # Ok::<(), datagrammar_protocols::BoxError>(())
//! ```
//!
//! [RFC 868]: https://www.rfc-editor.org/rfc/rfc868

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod codec;
mod combinator;
mod error;
mod layer;
mod plain;
mod protocol;
mod replay;
#[cfg(any(
    feature = "bincode",
    feature = "cbor",
    feature = "fixed",
    feature = "json",
    feature = "msgpack",
    feature = "postcard"
))]
mod serde_format;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "bincode")]
pub use self::codec::bincode::Bincode;
#[cfg(feature = "cbor")]
pub use self::codec::cbor::Cbor;
#[cfg(feature = "fixed")]
pub use self::codec::fixed::Fixed;
#[cfg(feature = "fixed")]
pub use self::codec::fixed::text::FixedText;
#[cfg(feature = "json")]
pub use self::codec::json::Json;
#[cfg(feature = "msgpack")]
pub use self::codec::msgpack::Msgpack;
#[cfg(feature = "postcard")]
pub use self::codec::postcard::Postcard;
#[cfg(feature = "protobuf")]
pub use self::codec::protobuf::Protobuf;
#[cfg(feature = "base64")]
pub use self::layer::base64::Base64;
#[cfg(feature = "bzip2")]
pub use self::layer::compress::bzip2::Bzip2;
#[cfg(feature = "lz4")]
pub use self::layer::compress::lz4::Lz4;
#[cfg(feature = "zlib")]
pub use self::layer::compress::zlib::Zlib;
#[cfg(feature = "zstd")]
pub use self::layer::compress::zstd::Zstd;
#[cfg(feature = "crc32c")]
pub use self::layer::crc32c::Crc32c;
#[cfg(any(feature = "sealed", feature = "signed"))]
pub use self::layer::key::KeyError;
#[cfg(feature = "sealed")]
pub use self::layer::key::SealingKey;
#[cfg(feature = "signed")]
pub use self::layer::key::SigningKey;
#[cfg(feature = "sealed")]
pub use self::layer::sealed::Sealed;
#[cfg(feature = "sha256")]
pub use self::layer::sha256::Sha256Digest;
#[cfg(feature = "signed")]
pub use self::layer::signed::Signed;
/// Bytes that are cheap to clone: the packets of [`Raw`].
pub use bytes::Bytes;

pub use self::{
    codec::{raw::Raw, text::Text, text_line::TextLine},
    combinator::{
        adapter::{Choice, Convert, Layered, When},
        choice::{either::Either, when::first_byte},
        convert::{
            converter::Converter,
            converter_fn::{ConverterFn, converter_fn},
            try_convert::TryConvert,
        },
        split::Split,
    },
    error::{BoxError, DecodeError, EncodeError, ErrorKind},
    layer::{interface::Layer, prefix::Prefix},
    protocol::{Claim, DatagramProtocol},
    replay::ReplayWindow,
};
