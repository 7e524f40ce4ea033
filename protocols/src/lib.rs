//! Codecs, layers and converters for typed datagram protocols: bytes to packets and back, without
//! I/O.
//!
//! # Overview
//!
//! A *datagram* is the bytes that the network carries in one piece. A *packet* is the typed value
//! that a datagram stands for. A [`DatagramProtocol`] maps each to the other:
//! [`decode`](DatagramProtocol::decode) makes a packet of `&[u8]`, and
//! [`encode`](DatagramProtocol::encode) appends the bytes of a packet to a `Vec<u8>`.
//!
//! This crate has no socket, task, clock or thread. So a protocol can be tested with literals,
//! fuzzed, and used over any transport. The crate `datagrammar` has servers and clients for tokio,
//! and re-exports everything that is here. That is why the examples say `use datagrammar::…`; a
//! program that depends on this crate alone writes `datagrammar_protocols` instead. A *handler* is
//! the function of a `datagrammar` server that gets the packets.
//!
//! Codecs turn packets into bytes:
//!
//! | packets | codec | feature |
//! | --- | --- | --- |
//! | bytes, unchanged | [`Raw`] | |
//! | UTF-8 text, unchanged | [`Text`] | |
//! | a line of text, without its terminator | [`TextLine`] | |
//! | JSON of serde types | [`Json`] | `json` (default) |
//! | CBOR of serde types | [`Cbor`] | `cbor` |
//! | MessagePack of serde types | [`Msgpack`] | `msgpack` |
//! | postcard's wire format of serde types, the smallest | [`Postcard`] | `postcard` |
//! | bincode's wire format of serde types | [`Bincode`] | `bincode` |
//! | bincode's wire format, of types that derive bincode's own traits | [`BincodeDerive`] | `bincode-derive` |
//! | structs of fields of fixed size | [`Fixed`], [`FixedText`] | `fixed` |
//! | Protocol Buffers, with the types of prost | [`Protobuf`] | `protobuf` |
//!
//! [Layers](Layer) change the bytes of a protocol. [`DatagramProtocol::layer`] adds one:
//!
//! | purpose | layer | feature |
//! | --- | --- | --- |
//! | magic number or version before each datagram | [`Prefix`] | |
//! | authentication (HMAC-SHA-256) | [`Signed`], with a [`SigningKey`] | `signed` |
//! | encryption and authentication (XChaCha20-Poly1305) | [`Sealed`], with a [`SealingKey`] | `sealed` |
//! | detection of accidental changes (CRC-32C, 4 bytes) | [`Crc32c`] | `crc32c` |
//! | detection of accidental changes (SHA-256, 32 bytes) | [`Sha256Digest`] | `sha256` |
//! | compression (zlib), for which nearly every language has a library | [`Zlib`] | `zlib` |
//! | compression (Zstandard), best with a dictionary that both sides have | [`Zstd`] | `zstd` |
//! | compression (LZ4), the fastest | [`Lz4`] | `lz4` |
//! | compression (bzip2), for peers that already use it | [`Bzip2`] | `bzip2` |
//! | text instead of bytes (base64) | [`Base64`] | `base64` |
//!
//! Combinators make a protocol of others:
//!
//! | purpose | use |
//! | --- | --- |
//! | your own types instead of the types on the wire | [`DatagramProtocol::convert`], with a [`Converter`] |
//! | several protocols on one port | [`DatagramProtocol::or`], with [`DatagramProtocol::when`] or [`DatagramProtocol::shaped`] |
//! | one protocol to receive, another to send | [`Split`] |
//! | a protocol that is chosen at run time | `Box<dyn DatagramProtocol<Incoming = …, Outgoing = …>>` |
//!
//! [`ReplayWindow`] detects packets that somebody recorded and sends again (anti-replay); your
//! program uses it. [`testing::Conformance`] tests a protocol of your own.
//!
//! A [`Shape`] is what all datagrams of a protocol have in common. A server can let the kernel drop
//! everything else.
//!
//! Every protocol returns the same two error types: [`DecodeError`] and [`EncodeError`].
//!
//! # Writing a protocol
//!
//! Implement [`DatagramProtocol`]. This one is the Time Protocol ([RFC 868]) as a server sees it. A
//! request is the empty datagram. The response is the number of seconds since 1900 in 32 bits,
//! big-endian:
//!
//! ```
//! # use datagrammar_protocols as datagrammar;
//! use datagrammar::{DatagramProtocol, DecodeError, EncodeError};
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
//! # Ok::<(), datagrammar::BoxError>(())
//! ```
//!
//! # Feature flags
//!
//! | feature | adds | default |
//! | --- | --- | --- |
//! | `json` | [`Json`] | yes |
//! | `bincode` | [`Bincode`] | |
//! | `bincode-derive` | [`BincodeDerive`] | |
//! | `cbor` | [`Cbor`] | |
//! | `fixed` | [`Fixed`], [`FixedText`] | |
//! | `msgpack` | [`Msgpack`] | |
//! | `postcard` | [`Postcard`] | |
//! | `protobuf` | [`Protobuf`] | |
//! | `base64` | [`Base64`] | |
//! | `bzip2` | [`Bzip2`] | |
//! | `crc32c` | [`Crc32c`] | |
//! | `lz4` | [`Lz4`] | |
//! | `sealed` | [`Sealed`], [`SealingKey`] | |
//! | `sha256` | [`Sha256Digest`] | |
//! | `signed` | [`Signed`], [`SigningKey`] | |
//! | `zlib` | [`Zlib`] | |
//! | `zstd` | [`Zstd`]; needs a C compiler | |
//! | `testing` | [`testing::Conformance`] | |
//!
//! [RFC 868]: https://www.rfc-editor.org/rfc/rfc868

#![cfg_attr(docsrs, feature(doc_cfg))]
// The pages of docs.rs have all features. Without some, links to what they bring lead nowhere.
#![cfg_attr(
    not(all(
        feature = "base64",
        feature = "bincode",
        feature = "bincode-derive",
        feature = "bzip2",
        feature = "cbor",
        feature = "crc32c",
        feature = "fixed",
        feature = "json",
        feature = "lz4",
        feature = "msgpack",
        feature = "postcard",
        feature = "protobuf",
        feature = "sealed",
        feature = "sha256",
        feature = "signed",
        feature = "testing",
        feature = "zlib",
        feature = "zstd",
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(any(
    feature = "bincode",
    feature = "bincode-derive",
    feature = "cbor",
    feature = "json",
    feature = "msgpack",
    feature = "postcard",
    feature = "protobuf"
))]
mod accepts_empty;
mod codec;
mod combinator;
mod correlation;
mod error;
mod layer;
mod plain;
mod pointer;
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
mod shape;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(
    feature = "bincode",
    feature = "bincode-derive",
    feature = "cbor",
    feature = "fixed",
    feature = "msgpack",
    feature = "postcard"
))]
mod trailing;

#[cfg(feature = "bincode")]
pub use self::codec::bincode::Bincode;
#[cfg(feature = "bincode-derive")]
pub use self::codec::bincode_derive::BincodeDerive;
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
pub use self::layer::sealed::Sealed;
#[cfg(feature = "sealed")]
pub use self::layer::sealing_key::SealingKey;
#[cfg(feature = "sha256")]
pub use self::layer::sha256::Sha256Digest;
#[cfg(feature = "signed")]
pub use self::layer::signed::Signed;
#[cfg(feature = "signed")]
pub use self::layer::signing_key::SigningKey;
/// Bytes that are cheap to clone: the packets of [`Raw`]. This is [`bytes::Bytes`].
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::Bytes;
///
/// let packet = Bytes::from_static(b"ping");
///
/// assert_eq!(packet.slice(1..), b"ing"[..]);
/// ```
pub use bytes::Bytes;

pub use self::{
    codec::{raw::Raw, text::Text, text_line::TextLine},
    combinator::{
        adapter::{Choice, Convert, Layered, Shaped, When},
        choice::{either::Either, when::first_byte},
        convert::{
            converter::Converter,
            converter_fn::{ConverterFn, converter_fn},
            try_convert::TryConvert,
        },
        split::Split,
    },
    correlation::{
        correlated::Correlated,
        lock_step::LockStep,
        tagged::Tagged,
        tagged_server::{TaggedRequest, TaggedResponse, TaggedServer},
    },
    error::{BoxError, DecodeError, EncodeError, ErrorKind},
    layer::{interface::Layer, prefix::Prefix},
    protocol::{Claim, DatagramProtocol},
    replay::ReplayWindow,
    shape::{Pattern, Shape},
};

/// The examples of the README, as tests.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;
