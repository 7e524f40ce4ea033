//! Numbers, keys and texts on which JSON readers disagree, from `test_transform` of JSONTestSuite.

use std::collections::BTreeMap;

use datagrammar_protocols::Json;
use serde::de::DeserializeOwned;

use super::{
    any::{Any, float, list, map, text},
    files, read, refused, sets,
};

// P-12, P-13: with and without a fraction, because a reader may handle them differently.
#[test]
fn numbers_on_which_readers_disagree_are_exact_or_refused() {
    reads("-0", &0_u8);
    reads("-0", &0_i64);
    reads("-0", &0_i128);
    reads("[-0,0]", &[0_u64, 0]);
    reads(r#"{"-0":1}"#, &BTreeMap::from([(0_i32, 1)]));
    assert_eq!(read(&Json::<f64, ()>::new(), b"-0", "-0").to_bits(), (-0.0_f64).to_bits());
    reads("-9223372036854775808", &i64::MIN);
    reads("18446744073709551615", &u64::MAX);
    reads("-9223372036854775809", &(i128::from(i64::MIN) - 1));
    reads("18446744073709551616", &(1_u128 << 64));
    reads("1.000000000000000005", &1.0_f64);
    reads("1E-999", &0.0_f64);
    reads("0.30000000000000004", &0.300_000_000_000_000_04_f64);
    refuses::<i64>("-9223372036854775809");
    refuses::<u64>("18446744073709551616");
    refuses::<u8>("-1");
    refuses::<u8>("256");
    refuses::<f64>("1e999");
    refuses::<f32>("1e39");
}

// P-12: keys that differ only in their code points are different keys.
#[test]
fn keys_that_only_look_the_same_are_different() {
    let keys = BTreeMap::from([("é".to_owned(), 1), ("e\u{301}".to_owned(), 2)]);

    reads("{\"é\":1,\"e\u{301}\":2}", &keys);
}

#[test]
fn the_transformed_texts_of_json_test_suite_have_the_right_values() {
    let Some(sets) = sets() else { return };
    let number = |number: i128| Some(list([number.into()]));
    let twice = |one: i128, two: Any| Some(map([(text("a"), one.into()), (text("a"), two)]));
    let (nfc, nfd) = ((text("é"), text("NFC")), (text("e\u{301}"), text("NFD")));
    let expected = BTreeMap::from([
        ("number_-9223372036854775808.json", number(-9_223_372_036_854_775_808)),
        // Beyond 64 bits, a type of any shape gets a float.
        ("number_-9223372036854775809.json", Some(list([float(-9_223_372_036_854_775_808.0)]))),
        ("number_1.0.json", Some(list([float(1.0)]))),
        ("number_1.000000000000000005.json", Some(list([float(1.0)]))),
        ("number_1000000000000000.json", number(1_000_000_000_000_000)),
        ("number_10000000000000000999.json", number(10_000_000_000_000_000_999)),
        ("number_1e-999.json", Some(list([float(0.0)]))),
        ("number_1e6.json", Some(list([float(1e6)]))),
        ("number_9223372036854775807.json", number(9_223_372_036_854_775_807)),
        ("number_9223372036854775808.json", number(9_223_372_036_854_775_808)),
        ("object_key_nfc_nfd.json", Some(map([nfc.clone(), nfd.clone()]))),
        ("object_key_nfd_nfc.json", Some(map([nfd, nfc]))),
        ("object_same_key_different_values.json", twice(1, 2.into())),
        ("object_same_key_same_value.json", twice(1, 1.into())),
        ("object_same_key_unclear_values.json", twice(0, float(-0.0))),
        ("string_1_escaped_invalid_codepoint.json", None),
        ("string_1_invalid_codepoint.json", None),
        ("string_2_escaped_invalid_codepoints.json", None),
        ("string_2_invalid_codepoints.json", None),
        ("string_3_escaped_invalid_codepoints.json", None),
        ("string_3_invalid_codepoints.json", None),
        ("string_with_escaped_NULL.json", Some(list([text("A\0B")]))),
    ]);

    let files = files(&sets.join("test_transform"));

    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected.keys().copied().collect::<Vec<_>>());
    for (name, json) in &files {
        match &expected[name.as_str()] {
            Some(any) => assert_eq!(read(&Json::<Any, ()>::new(), json, name), *any, "{name}"),
            None => refused(&Json::<Any, ()>::new(), json, name),
        }
    }
    // A type that asks for more than 64 bits gets them.
    let beyond = &files[1].1;
    assert_eq!(read(&Json::<[i128; 1], ()>::new(), beyond, "i128"), [-9_223_372_036_854_775_809]);
}

#[track_caller]
fn reads<T: std::fmt::Debug + DeserializeOwned + PartialEq>(json: &str, packet: &T) {
    assert_eq!(read(&Json::<T, ()>::new(), json.as_bytes(), json), *packet, "{json}");
}

#[track_caller]
fn refuses<T: DeserializeOwned>(json: &str) {
    refused(&Json::<T, ()>::new(), json.as_bytes(), json);
}
