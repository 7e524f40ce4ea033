//! Integers and floats of every width.

use std::ffi::CString;

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
fn floats_that_are_no_numbers_keep_their_bits() {
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

// Languages with one type of number write those that are whole as integers.
#[test]
fn an_integer_is_read_where_a_float_is_expected() {
    reads("01", &1.0_f64);
    reads("3903e7", &-1000.0_f32);
    reads("3bffffffffffffffff", &-18_446_744_073_709_551_616.0_f64);
    reads("c249010000000000000000", &18_446_744_073_709_551_616.0_f32);
    refuses::<u8>("f93c00");
}

#[test]
fn small_integers_that_are_written_as_big_ones_are_read() {
    reads("c24105", &5_u8);
    reads("c3420000", &-1_i8);
    reads("c2 5f 4101 420203 ff", &0x01_0203_u64);
    refuses::<u64>("c2182a");
    refuses::<i128>("c350ffffffffffffffffffffffffffffffff");
}

// Of which there are those of 256 bits.
#[test]
fn integers_beyond_128_bits_are_octets_or_passed_over() {
    let big = format!("c25820{}", "01".repeat(32));

    reads(&big, &CString::new([1; 32]).unwrap());
    reads(&big, &vec![1_u8; 32]);
    reads(&format!("a3 6161 {big} 636b6579 80 6162 {big}"), &Row { key: vec![], data: None });
    refuses::<u128>(&big);
}

#[test]
fn whatever_integers_are_written_as_the_type_is_given_what_it_asks_for() {
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
