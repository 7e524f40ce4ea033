//! Integers and floats of every width.

use std::{collections::BTreeMap, ffi::CString};

use datagrammar_protocols::{Cbor, DatagramProtocol};
use serde::Deserialize;

use super::{Row, cbor_of, reads, refuses};
use crate::hex;

// P-29 w21, P-25
#[test]
fn numbers_take_the_shortest_form() {
    let unsigned = [0, 23, 24, 255, 256, 65_535, 65_536, 1 << 32].map(|n| cbor_of::<u64>(&n));
    let signed = [-1, -24, -25, -256, -257, i64::MIN].map(|n| cbor_of::<i64>(&n));
    let floats = [f64::NAN, f64::INFINITY, 1.5, -0.0, 100_000.0, 0.1].map(|f| cbor_of::<f64>(&f));

    let expected =
        ["00", "17", "1818", "18ff", "190100", "19ffff", "1a00010000", "1b0000000100000000"];
    assert_eq!(unsigned, expected.map(hex));
    let expected = ["20", "37", "3818", "38ff", "390100", "3b7fffffffffffffff"];
    assert_eq!(signed, expected.map(hex));
    let expected = ["f97e00", "f97c00", "f93e00", "f98000", "fa47c35000", "fb3fb999999999999a"];
    assert_eq!(floats, expected.map(hex));
}

// P-29 w21
#[test]
fn integers_beyond_64_bits_are_tags_2_and_3() {
    assert_eq!(cbor_of::<u128>(&(1 << 64)), hex("c249010000000000000000"));
    assert_eq!(cbor_of::<i128>(&(-1 - (1 << 64))), hex("c349010000000000000000"));
    assert_eq!(cbor_of::<i128>(&(-1 << 64)), hex("3bffffffffffffffff"));
    assert_eq!(cbor_of::<u128>(&7), hex("07"));
    reads("c249010000000000000000", &(1_u128 << 64));
    reads("c35000ffffffffffffffffffffffffffffff", &-(1_i128 << 120));
}

// P-4
#[test]
fn nan_keeps_its_bits() {
    for bits in [0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0x7fa0_0000] {
        let read = Cbor::<f32, ()>::new().decode(&cbor_of(&f32::from_bits(bits))).unwrap();

        assert_eq!(read.to_bits(), bits);
    }
    for bits in [0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0001, 0x7ff4_0000_0000_0000] {
        let read = Cbor::<f64, ()>::new().decode(&cbor_of(&f64::from_bits(bits))).unwrap();

        assert_eq!(read.to_bits(), bits);
    }
}

// P-29 w22, P-25
#[test]
fn floats_of_every_width_are_read() {
    for datagram in ["f93e00", "fa3fc00000", "fb3ff8000000000000"] {
        reads(datagram, &1.5_f64);
        reads(datagram, &1.5_f32);
    }
}

// Languages with only one number type write whole numbers as integers.
#[test]
fn an_integer_is_read_if_a_float_is_expected() {
    reads("01", &1.0_f64);
    reads("3903e7", &-1000.0_f32);
    reads("3bffffffffffffffff", &-18_446_744_073_709_551_616.0_f64);
    // Rounded only once, so it equals the float.
    reads("3b00303b96791b7709", &-13_576_316_345_087_754.0_f64);
    reads("c347303b96791b7709", &-13_576_316_345_087_754.0_f64);
    reads("3a00ffffff", &-16_777_216.0_f32);
    reads("c249010000000000000000", &18_446_744_073_709_551_616.0_f32);
}

// P-25: such languages write whole numbers as floats if integers are not large enough.
#[test]
fn a_whole_float_is_read_if_an_integer_is_expected() {
    for whole in ["f95140", "fa42280000", "fb4045000000000000", "c1 fb4045000000000000"] {
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
    for whole in ["f9d140", "fac2280000", "fbc045000000000000"] {
        reads(whole, &-42_i8);
        reads(whole, &-42_i64);
        reads(whole, &-42_i128);
        refuses::<u64>(whole);
        refuses::<u128>(whole);
    }
    reads("82 f93c00 fb4045000000000000", &vec![1_u8, 42]);
    reads("82 fb4045000000000000 f5", &(42_u8, true));
    reads("a1 fb4279365481d03000 f93c00", &BTreeMap::from([(1_732_571_045_123_u64, 1_i8)]));
    reads("f93c00", &Some(Some(std::num::NonZero::<u16>::MIN)));
}

// P-25: only its sign is lost.
#[test]
fn negative_zero_is_read_as_an_integer() {
    for zero in ["f98000", "fa80000000", "fb8000000000000000"] {
        reads(zero, &0_u8);
        reads(zero, &0_i64);
        reads(zero, &0_u128);
        reads(zero, &0_i128);
        assert!(Cbor::<f64, ()>::new().decode(&hex(zero)).unwrap().is_sign_negative());
    }
}

// P-25
#[test]
fn floats_are_read_to_the_bounds_of_an_integer_and_not_beyond() {
    reads("f95bf8", &255_u8);
    refuses::<u8>("f95c00"); // 256
    reads("f9d800", &-128_i8);
    refuses::<i8>("f9d808"); // -129
    reads("fb43dfffffffffffff", &(i64::MAX - 1_023));
    refuses::<i64>("fb43e0000000000000"); // 2^63
    reads("fbc3e0000000000000", &i64::MIN);
    refuses::<i64>("fbc3e0000000000001");
    reads("fb43efffffffffffff", &(u64::MAX - 2_047));
    refuses::<u64>("fb43f0000000000000"); // 2^64
    refuses::<u64>("fa5f800000");
    reads("fb43f0000000000000", &(1_u128 << 64));
    reads("fbc3f0000000000000", &-(1_i128 << 64));
    reads("fb47dfffffffffffff", &(i128::MAX - ((1 << 74) - 1)));
    refuses::<i128>("fb47e0000000000000"); // 2^127
    reads("fbc7e0000000000000", &i128::MIN);
    refuses::<i128>("fbc7e0000000000001");
    reads("fb47efffffffffffff", &(u128::MAX - ((1 << 75) - 1)));
    refuses::<u128>("fb47f0000000000000"); // 2^128
}

#[test]
fn a_float_that_is_not_whole_or_not_finite_is_not_an_integer() {
    for float in [
        "f93e00",             // 1.5
        "fa3fc00000",         // 1.5
        "fb3ff8000000000000", // 1.5
        "f90001",             // 2^-24
        "f98001",             // -2^-24
        "fb0000000000000001", // the smallest
        "fb432fffffffffffff", // 2^52 - 0.5
        "f97e00",             // NaN
        "fb7ff8000000000000",
        "f97c00", // infinity
        "f9fc00",
        "fb7ff0000000000000",
        "fb7fefffffffffffff", // the greatest
    ] {
        refuses::<u8>(float);
        refuses::<i16>(float);
        refuses::<u64>(float);
        refuses::<i64>(float);
        refuses::<u128>(float);
        refuses::<i128>(float);
        refuses::<BTreeMap<u64, ()>>(&format!("a1 {float} f6"));
    }
}

// P-4: a type that adapts to the received value gets the value that was sent.
#[test]
fn a_whole_float_stays_a_float_if_a_type_accepts_both() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Number {
        Integer(i64),
        Float(f64),
    }

    reads("82 01 f93c00", &[Number::Integer(1), Number::Float(1.0)]);
    reads("82 01 f93c00", &serde_json::json!([1, 1.0]));
}

#[test]
fn small_integers_that_are_written_as_big_ones_are_read() {
    reads("c24105", &5_u8);
    reads("c3420000", &-1_i8);
    reads("c2 5f 4101 420203 ff", &0x01_0203_u64);
    refuses::<u64>("c2182a");
    refuses::<i128>("c350ffffffffffffffffffffffffffffffff");
}

// Integers of 256 bits exist, for example.
#[test]
fn integers_beyond_128_bits_are_bytes_or_skipped() {
    let big = format!("c25820{}", "01".repeat(32));

    reads(&big, &CString::new([1; 32]).unwrap());
    reads(&big, &vec![1_u8; 32]);
    reads(&format!("a3 6161 {big} 636b6579 80 6162 {big}"), &Row { key: vec![], data: None });
    refuses::<u128>(&big);
}

#[test]
fn a_type_gets_the_integer_that_it_asks_for_in_every_encoding() {
    struct Only(i128);

    impl<'de> Deserialize<'de> for Only {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;

            impl serde::de::Visitor<'_> for Visitor {
                type Value = Only;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an integer of 128 bits")
                }

                fn visit_i128<E>(self, number: i128) -> Result<Only, E> {
                    Ok(Only(number))
                }
            }

            deserializer.deserialize_i128(Visitor)
        }
    }

    for number in [0, -1, 1 << 40, i128::from(u64::MAX), -(1 << 70), i128::MAX, i128::MIN] {
        assert_eq!(Cbor::<Only, ()>::new().decode(&cbor_of(&number)).unwrap().0, number);
    }
}
