//! Bytes that other encoders have written are read with the same meaning.

use std::{collections::BTreeMap, ffi::CString, fmt::Debug};

use serde::{Deserialize, de::DeserializeOwned};

use super::{Command, reads, refuses};

#[derive(Debug, Deserialize, PartialEq)]
struct Packet<T> {
    bar: T,
}

#[track_caller]
fn bar<T: Debug + DeserializeOwned + PartialEq>(datagram: &str, bar: T) {
    reads(datagram, &Packet { bar });
}

// cbor-x 1.6.9, `encode`
#[test]
fn cbor_x() {
    bar("b9000163626172fb4279365481d03000", 1_732_571_045_123_u64); // Date.now()
    bar("b9000163626172fbc279365481d03000", -1_732_571_045_123_i64);
    bar("b9000163626172fb43b0000000000000", 1_u64 << 60);
    bar("b9000163626172fb43f0000000000000", 1_u128 << 64);
    bar("b900016362617200", 0_u8); // -0
    bar("b9000163626172fb3ff8000000000000", 1.5_f32);
    bar("b9000163626172f6", None::<u64>);
    bar("b9000163626172f7", None::<u64>); // undefined
    bar("b9000163626172c11a6744efa5", 1_732_571_045_u64); // a `Date`
    bar("b90001636261721b0000019365481d03", 1_732_571_045_123_u64); // a `BigInt`
    bar("b9000163626172d840420102", CString::new([1, 2]).unwrap());
    bar("b9000263626172182a6178f7", 42); // and x: undefined
    bar("b9000263626172182a6178d901028101", 42); // and x: a `Set`
    bar("d90103a1d84043626172182a", 42); // a `Map` with a `Uint8Array` as key
    bar("d90103a263626172182a0102", 42); // and 1: 2
    bar("d90103a463626172182afb3ff800000000000002f601f501", 42); // and 1.5, null, true as keys
    bar("d90103a263626172182afb427000000000000002", 42); // and 2^40
    bar("d90103a263626172182a820102b90001616101", 42); // and an array
    reads("d90103a1fb4279365481d0300001", &BTreeMap::from([(1_732_571_045_123_u64, 1)]));
    refuses::<Packet<u64>>("b9000163626172fb43f0000000000000"); // 2^64
    refuses::<Packet<u64>>("b9000163626172fb3ff8000000000000");
}

// cborg 6.1.5, `encode`
#[test]
fn cborg() {
    bar("a1636261721b0000019365481d03", 1_732_571_045_123_u64);
    bar("a163626172fa5d800000", 1_u64 << 60);
    bar("a163626172fa5f800000", 1_u128 << 64);
    bar("a163626172f93e00", 1.5);
    bar("a26178f763626172182a", 42); // and x: undefined
    bar("a143626172182a", 42); // a `Map` with a `Uint8Array` as key
    bar("a2010263626172182a", 42); // and 1: 2
    bar("a463626172182af501f601f93e0002", 42); // and true, null, 1.5 as keys
    bar("a263626172182a820102a1616101", 42); // and an array
    refuses::<Packet<u64>>("a163626172fa5f800000");
}

// cbor 10.0.12, `encodeOne`
#[test]
fn node_cbor() {
    bar("a163626172fa5d800000", 1_u64 << 60);
    bar("a163626172f98000", 0_u8); // -0
    bar("a163626172c246019365481d03", 1_732_571_045_123_u64); // a `BigInt`
    bar("a1d84043626172182a", 42); // a `Map` with a `Buffer` as key
    bar("a463626172182afa3fc0000002f601f501", 42); // and 1.5, null, true as keys
    bar("a263626172182a820102a1616101", 42); // and an array
}

// @std/cbor, `encodeCbor`, according to its source
#[test]
fn deno() {
    bar("a1636261721b0000019365481d03", 1_732_571_045_123_u64);
    bar("a163626172c11a6744efa5", 1_732_571_045_u64); // a `Date`
    bar("a163626172f7", None::<u64>);
}

// cbor2 6.3.0, `dumps`
#[test]
fn cbor2() {
    bar("a1636261721b0000019365481d03", 1_732_571_045_123_u64);
    bar("a163626172fb4279365481d03000", 1_732_571_045_123_u64); // a `float`
    bar("a163626172c249010000000000000000", 1_u128 << 64);
    bar("a143626172182a", 42); // {b"bar": 42}
    bar("a263626172182a0102", 42); // {"bar": 42, 1: 2}
    bar("a563626172182afb3ff800000000000002f60182010203f501", 42); // and 1.5, None, (1, 2), True
    bar("a2f00163626172182a", 42); // and CBORSimpleValue(16)
    bar("a263626172182a6178f863", 42); // and "x": CBORSimpleValue(99)
    bar("a263626172182ac10501", 42); // and CBORTag(1, 5)
    bar("a263626172182a6178f7", 42); // and "x": undefined
}

// ciborium 0.2.2, `into_writer`; other tests compare our serializer with it
#[test]
fn ciborium() {
    bar("a163626172f93c00", 1.0);
    bar("a163626172f93c00", 1_u8); // an `f64` in the type of the sender
    bar("a163626172c249010000000000000000", 1_u128 << 64);
    bar("a1636261726450696e67", Command::Ping);
    bar("a163626172a1645061697282 01 02", Command::Pair(1, 2));
    bar("bf63626172182aff", 42); // with `flatten`
}
