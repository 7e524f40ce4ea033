//! Tests of the protocols. A comment such as `// P-2` names the rule of the contract that a test checks.

mod choice;
mod composition;
mod convert;
mod correlation;
mod error;
mod laws;
mod layer;
mod raw;
mod replay;
mod text;
mod text_line;

#[cfg(all(
    feature = "bincode",
    feature = "cbor",
    feature = "msgpack",
    feature = "postcard",
    feature = "testing"
))]
mod allocation;
#[allow(dead_code, reason = "the features decide who uses it")]
mod counting;
#[cfg(all(feature = "bzip2", feature = "lz4", feature = "zlib"))]
mod inflation;
#[cfg(all(
    feature = "bincode",
    feature = "cbor",
    feature = "fixed",
    feature = "json",
    feature = "msgpack",
    feature = "postcard"
))]
mod stack;
#[cfg(all(
    feature = "cbor",
    feature = "json",
    feature = "msgpack",
    feature = "sealed",
    feature = "sha256",
    feature = "signed"
))]
mod vectors;

// P-28: the code behind a feature is tested with the feature, and the rest compiles without it.
#[cfg(feature = "base64")]
mod base64;
#[cfg(feature = "bincode")]
mod bincode;
#[cfg(feature = "bincode-derive")]
mod bincode_derive;
#[cfg(feature = "bincode")]
mod bincode_limits;
#[cfg(feature = "cbor")]
mod cbor;
mod compression;
#[cfg(feature = "testing")]
mod conformance;
mod digest;
#[cfg(all(
    feature = "bincode",
    feature = "cbor",
    feature = "json",
    feature = "msgpack",
    feature = "postcard",
    feature = "testing"
))]
mod every_serde_codec;
#[cfg(feature = "fixed")]
mod fixed;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod json_numbers;
#[cfg(feature = "json")]
mod json_strict;
#[cfg(all(feature = "sealed", feature = "signed"))]
mod key;
#[cfg(feature = "testing")]
mod kit;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "postcard")]
mod postcard;
#[cfg(feature = "protobuf")]
mod protobuf;
#[cfg(feature = "sealed")]
mod sealed;
mod shape;
#[cfg(all(feature = "json", feature = "signed"))]
mod signed;

use datagrammar_protocols::DatagramProtocol;

/// The step of tests that try every bit or every length. It is larger under Miri, where ciphers are slow.
#[cfg(any(feature = "sealed", all(feature = "json", feature = "signed")))]
const STEP: usize = if cfg!(miri) { 29 } else { 1 };

/// Encodes `packet` into a new datagram.
fn encode<P: DatagramProtocol>(protocol: &P, packet: &P::Outgoing) -> Vec<u8> {
    let mut datagram = Vec::new();
    protocol.encode(packet, &mut datagram).expect("the packet can be encoded");
    datagram
}

/// The bytes written in hexadecimal, spaces ignored.
#[allow(dead_code, reason = "most features need it, and none does not")]
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        digits.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Runs `test` on a stack of 2 MiB, like that of a tokio worker. An overflow aborts the process.
#[allow(dead_code, reason = "the features decide who uses it")]
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(test);
    thread.expect("a thread can be started").join().expect("the test passes");
}
