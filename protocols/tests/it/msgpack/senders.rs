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

// msgpackr 2.1.4, `pack`
#[test]
fn msgpackr() {
    bar("de0001a3626172cb4279365481d03000", 1_732_571_045_123_u64); // Date.now()
    bar("de0001a3626172cbc279365481d03000", -1_732_571_045_123_i64);
    bar("de0001a3626172cb43b0000000000000", 1_u64 << 60);
    bar("de0001a3626172cb43f0000000000000", 1_u128 << 64);
    bar("de0001a362617200", 0_u8); // -0
    bar("de0001a3626172cb3ff8000000000000", 1.5_f32);
    bar("de0001a3626172c0", None::<u64>);
    bar("de0001a3626172d40000", None::<u64>); // undefined
    bar("de0001a3626172d30000019365481d03", 1_732_571_045_123_u64); // a `BigInt`
    bar("de0001a3626172c4020102", CString::new([1, 2]).unwrap());
    bar("de0002a36261722aa178d40000", 42); // and x: undefined
    bar("de0002a36261722aa178d6ff6744efa5", 42); // and x: a `Date`
    bar("81c4036261722a", 42); // a `Map` with a `Uint8Array` as key
    bar("82a36261722a0102", 42); // and 1: 2
    bar("84a36261722acb3ff800000000000002c001c301", 42); // and 1.5, null, true as keys
    bar("82a36261722acb427000000000000002", 42); // and 2^40
    bar("82a36261722a920102de0001a16101", 42); // and an array
    reads("81cb4279365481d0300001", &BTreeMap::from([(1_732_571_045_123_u64, 1)]));
    refuses::<Packet<u64>>("de0001a3626172cb43f0000000000000"); // 2^64
    refuses::<Packet<u64>>("de0001a3626172cb3ff8000000000000");
}

// @msgpack/msgpack 3.1.3, `encode`: by default, with `forceIntegerToFloat`, and with `forceFloat32`
#[test]
fn msgpack_of_msgpack() {
    bar("81a3626172cf0000019365481d03", 1_732_571_045_123_u64);
    bar("81a3626172cb43b0000000000000", 1_u64 << 60);
    bar("81a3626172c0", None::<u64>); // undefined

    bar("81a3626172cb4279365481d03000", 1_732_571_045_123_u64);
    bar("81a3626172cb4045000000000000", 42_u8);
    bar("81a3626172cb8000000000000000", 0_u8); // -0
    bar("82a3626172cb4045000000000000a178c0", 42);

    bar("81a3626172ca5d800000", 1_u64 << 60);
    bar("81a3626172ca5f800000", 1_u128 << 64);
    refuses::<Packet<u64>>("81a3626172ca5f800000");
    refuses::<Packet<u64>>("81a3626172ca3fc00000"); // 1.5
}

// @std/msgpack, `encode`, according to its source: a double for integers beyond 32 bits
#[test]
fn deno() {
    bar("81a3626172cb4279365481d03000", 1_732_571_045_123_u64);
    bar("81a3626172cbc279365481d03000", -1_732_571_045_123_i64);
    bar("81a3626172ceffffffff", u32::MAX);
    bar("81a3626172cf0000019365481d03", 1_732_571_045_123_u64); // a `BigInt`
}

// msgpack5 6.1.0, `encode`
#[test]
fn msgpack5() {
    bar("81a3626172cb43b0000000000000", 1_u64 << 60);
    bar("81c4036261722a", 42); // a `Map` with a `Uint8Array` as key
    bar("84a36261722aca3fc0000002c001c301", 42); // and 1.5, null, true as keys
    bar("82a36261722a92010281a16101", 42); // and an array
}

// msgpack 1.2.4, `packb`
#[test]
fn msgpack_of_python() {
    bar("81a3626172cb4279365481d03000", 1_732_571_045_123_u64); // a `float`
    bar("81c4036261722a", 42); // {b"bar": 42}
    bar("82a36261722a0102", 42); // {"bar": 42, 1: 2}
    bar("85a36261722acb3ff800000000000002c00192010203c301", 42); // and 1.5, None, (1, 2), True
}

// rmp-serde 1.3.1, `to_vec_named` and `to_vec`, and an old form of it
#[test]
fn rmp_serde() {
    bar("81a3626172a450696e67", Command::Ping);
    bar("9181a45061697292 01 02", Command::Pair(1, 2));
    bar("91cb3ff0000000000000", 1_u8); // an `f64` in the type of the sender
    bar("9100", Command::Ping); // a variant by its position, until 0.15
    bar("9181029201 02", Command::Pair(1, 2));
    bar("91c40161", "a".to_owned());
}
