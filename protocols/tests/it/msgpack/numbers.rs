//! Integers that are sent as floats.

use std::collections::BTreeMap;

use datagrammar_protocols::{DatagramProtocol, Msgpack};

use super::{reads, refuses};
use crate::hex;

// P-25: languages with only one number type write whole numbers beyond 32 bits as floats.
#[test]
fn a_whole_float_is_read_if_an_integer_is_expected() {
    for whole in ["ca42280000", "cb4045000000000000"] {
        reads(whole, &42_u8);
        reads(whole, &42_u16);
        reads(whole, &42_u32);
        reads(whole, &42_u64);
        reads(whole, &42_u128);
        reads(whole, &42_i8);
        reads(whole, &42_i16);
        reads(whole, &42_i32);
        reads(whole, &42_i64);
        reads(whole, &42_i128);
    }
    for whole in ["cac2280000", "cbc045000000000000"] {
        reads(whole, &-42_i8);
        reads(whole, &-42_i64);
        reads(whole, &-42_i128);
        refuses::<u64>(whole);
        refuses::<u128>(whole);
    }
    reads("92 ca3f800000 cb4045000000000000", &vec![1_u8, 42]);
    reads("81 cb4279365481d03000 ca3f800000", &BTreeMap::from([(1_732_571_045_123_u64, 1_i8)]));
}

// P-25: only its sign is lost.
#[test]
fn negative_zero_is_read_as_an_integer() {
    for zero in ["ca80000000", "cb8000000000000000"] {
        reads(zero, &0_u8);
        reads(zero, &0_i64);
        reads(zero, &0_u128);
        reads(zero, &0_i128);
        assert!(Msgpack::<f64, ()>::new().decode(&hex(zero)).unwrap().is_sign_negative());
    }
}

// P-25
#[test]
fn floats_are_read_to_the_bounds_of_an_integer_and_not_beyond() {
    reads("ca437f0000", &255_u8);
    refuses::<u8>("ca43800000"); // 256
    reads("cb43dfffffffffffff", &(i64::MAX - 1_023));
    refuses::<i64>("cb43e0000000000000"); // 2^63
    reads("cbc3e0000000000000", &i64::MIN);
    refuses::<i64>("cbc3e0000000000001");
    reads("cb43efffffffffffff", &(u64::MAX - 2_047));
    refuses::<u64>("cb43f0000000000000"); // 2^64
    refuses::<u64>("ca5f800000");
    reads("ca5f800000", &(1_u128 << 64));
    reads("cbc7e0000000000000", &i128::MIN);
    refuses::<i128>("cb47e0000000000000"); // 2^127
    refuses::<u128>("cb47f0000000000000"); // 2^128
}

#[test]
fn a_float_that_is_not_whole_or_not_finite_is_not_an_integer() {
    for float in [
        "ca3fc00000",         // 1.5
        "cb3ff8000000000000", // 1.5
        "cb0000000000000001", // the smallest
        "cb432fffffffffffff", // 2^52 - 0.5
        "ca7fc00000",         // NaN
        "cb7ff8000000000000",
        "ca7f800000", // infinity
        "cbfff0000000000000",
        "cb7fefffffffffffff", // the greatest
    ] {
        refuses::<u8>(float);
        refuses::<i16>(float);
        refuses::<u64>(float);
        refuses::<i64>(float);
        refuses::<u128>(float);
        refuses::<i128>(float);
        refuses::<BTreeMap<u64, ()>>(&format!("81 {float} c0"));
    }
}

// P-4: a type that adapts to the received value gets the value that was sent.
#[test]
fn a_whole_float_stays_a_float_if_a_type_accepts_both() {
    reads("92 01 cb3ff0000000000000", &serde_json::json!([1, 1.0]));
}
