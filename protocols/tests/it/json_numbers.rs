//! JSON: numbers of every type, and when they are refused.

use std::{collections::BTreeMap, fmt::Debug};

use datagrammar_protocols::{DatagramProtocol, Json};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::encode;

fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    Json::<T, ()>::new().decode(json.as_bytes()).ok()
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "t")]
enum Tagged<T> {
    A { n: T },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Untagged<T> {
    Alone(T),
}

// P-12: RFC 8259 allows -0, and C's printf writes it for -0.3 without its fraction.
#[test]
fn minus_zero_is_zero_to_integers() {
    fn is_zero<T: Debug + DeserializeOwned + From<u8> + Ord>() {
        let zero = || T::from(0);

        assert_eq!(read::<T>("-0"), Some(zero()));
        assert_eq!(read::<Vec<T>>("[ -0 ,-0]"), Some(vec![zero(), zero()]));
        assert_eq!(read(r#"{"-0":1}"#), Some(BTreeMap::from([(zero(), 1)])));
        for other in OTHER {
            assert_eq!(read::<T>(other), None, "{other}");
        }
    }

    is_zero::<u8>();
    is_zero::<u16>();
    is_zero::<u32>();
    is_zero::<u64>();
    is_zero::<u128>();
    is_zero::<i16>();
    is_zero::<i32>();
    is_zero::<i64>();
    is_zero::<i128>();
    assert_eq!(read::<i8>("-0"), Some(0));
    assert_eq!(read::<usize>("-0"), Some(0));
}

// For these attributes serde keeps a copy of the number, except for integers of 128 bits.
#[test]
fn minus_zero_is_zero_to_integers_under_every_attribute() {
    fn is_zero<T: Debug + DeserializeOwned + From<u8> + PartialEq>() {
        let zero = || T::from(0);

        assert_eq!(read(r#"{"t":"A","n":-0}"#), Some(Tagged::A { n: zero() }));
        assert_eq!(read("-0"), Some(Untagged::Alone(zero())));
        for other in OTHER {
            assert_eq!(read(other), None::<Untagged<T>>, "{other}");
        }
    }

    is_zero::<u8>();
    is_zero::<u64>();
    is_zero::<i16>();
    is_zero::<i64>();
}

/// Zeros and other numbers that are written as floats, and texts that are not numbers.
const OTHER: [&str; 8] = ["-0.0", "-0e0", "-1e-400", "-00", "- 0", "0.0", "1.0", "1e2"];

// P-12: a text is read again for minus zero and for numbers beyond `f32`. One case does not hide the other.
#[test]
fn minus_zero_for_an_integer_does_not_turn_a_large_number_into_infinity() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "t")]
    enum Both<F> {
        A { n: i8, f: F },
    }
    let json = r#"{"t":"A","n":-0,"f":1e39}"#;

    assert_eq!(read::<Both<f32>>(json), None);
    assert_eq!(read(json), Some(Both::A { n: 0, f: 1e39 }));
}

// P-4
#[test]
fn minus_zero_keeps_its_sign_as_a_float() {
    let negative = |float: f64| float == 0.0 && float.is_sign_negative();

    for json in ["-0", "-0.0", "-0e9"] {
        assert!(read::<f64>(json).is_some_and(negative));
        assert!(read::<f32>(json).is_some_and(|float| negative(float.into())));
        let Some(Untagged::Alone(float)) = read(json) else { panic!("{json}") };
        assert!(negative(float));
        assert!(read::<Value>(json).and_then(|value| value.as_f64()).is_some_and(negative));
    }
}

#[test]
fn integers_of_every_width_are_read_to_their_bounds_and_not_beyond() {
    assert_eq!(read::<i64>("-9223372036854775808"), Some(i64::MIN));
    assert_eq!(read::<i64>("-9223372036854775809"), None);
    assert_eq!(read::<u64>("18446744073709551615"), Some(u64::MAX));
    assert_eq!(read::<u64>("18446744073709551616"), None);
    assert_eq!(read::<u64>("-1"), None);
    assert_eq!(read::<i128>(&i128::MIN.to_string()), Some(i128::MIN));
    assert_eq!(read::<u128>(&u128::MAX.to_string()), Some(u128::MAX));
    assert_eq!(read::<i128>(&u128::MAX.to_string()), None);
    assert_eq!(read::<u128>("-1"), None);
    assert_eq!(read::<u128>("340282366920938463463374607431768211456"), None);
    assert_eq!(read::<i128>("1.0"), None);
    assert_eq!(read::<i8>("-129"), None);
}

// P-12
#[test]
fn floats_are_read_as_the_nearest_one_or_refused() {
    assert_eq!(read::<f64>("18446744073709551616"), Some(18_446_744_073_709_551_616.0));
    assert_eq!(read::<f64>("1.7976931348623157e308"), Some(f64::MAX));
    assert_eq!(read::<f64>("1.7976931348623159e308"), None);
    assert_eq!(read::<f64>("5e-324"), Some(5e-324));
    assert_eq!(read::<f64>("1e-400"), Some(0.0));
    assert_eq!(read::<f32>("3.4028235e38"), Some(f32::MAX));
    assert_eq!(read::<f32>("3.4028236e38"), None);
    // It is rounded only once. If it were rounded to `f64` first, the result would be 1.
    assert_eq!(read::<f32>("1.000000059604644775390626"), Some(1.0 + f32::EPSILON));
    assert_eq!(read::<f64>(&"9".repeat(400)), None);
    assert_eq!(read::<f64>(&format!("0.{}", "9".repeat(5_000))), Some(1.0));
}

#[test]
fn names_are_read_as_numbers_if_the_keys_are_numbers() {
    assert_eq!(read(r#"{"-7":1,"12":2}"#), Some(BTreeMap::from([(-7, 1), (12, 2)])));
    assert_eq!(read(r#"{"true":1}"#), Some(BTreeMap::from([(true, 1)])));
    for json in [
        r#"{" 1":1}"#,
        r#"{"1 ":1}"#,
        r#"{"":1}"#,
        r#"{"1x":1}"#,
        r#"{"01":1}"#,
        r#"{"x":1}"#,
        r#"{1:1}"#,
        r#"{"1:1}"#,
        r#"{"256":1}"#,
        r#"{"\u0031":1}"#,
    ] {
        assert_eq!(read::<BTreeMap<u8, u8>>(json), None, "{json}");
    }
}

// A type may ignore the error for a number of another type, but the text must be valid JSON.
#[test]
fn a_type_that_ignores_invalid_json_is_refused() {
    #[derive(Debug, PartialEq)]
    struct Lenient(Option<u8>);

    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(Self(u8::deserialize(deserializer).ok()))
        }
    }

    assert_eq!(read("[1,300]"), Some(vec![Lenient(Some(1)), Lenient(None)]));
    assert_eq!(read::<Vec<Lenient>>("[1,-]"), None);
    assert_eq!(read::<Lenient>("01"), None);
}

#[test]
fn a_type_that_ignores_an_error_in_a_list_gets_none_of_the_following_values() {
    #[derive(Debug, Default, PartialEq)]
    struct Lenient(Vec<u8>);

    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Ok(Self(Vec::deserialize(deserializer).unwrap_or_default()))
        }
    }

    assert_eq!(read("[[1],[2]]"), Some(vec![Lenient(vec![1]), Lenient(vec![2])]));
    // No bracket closes the list that the error is in.
    assert_eq!(read::<Vec<Lenient>>("[[-1,[5]]"), None);
    assert_eq!(read::<BTreeMap<String, Lenient>>(r#"{"a":[-1,"b":[5]}"#), None);
    // The name of an entry must be a number without anything after it.
    assert_eq!(read::<BTreeMap<u8, u8>>(r#"{"1 ":1,"2":2}"#), None);
}

#[test]
fn values_of_any_shape_are_the_same_as_in_serde_json() {
    let packet = json!({"a": [1, -1, 0.5, 1e300, u64::MAX, i64::MIN, true, null], "é": {"": "\n"}});
    let json: Json<Value> = Json::new();

    assert_eq!(json.decode(&encode(&json, &packet)).unwrap(), packet);
}

// `protocols/tests/features` tests the same with `arbitrary_precision`.
#[test]
fn the_internal_names_of_serde_json_are_refused() {
    for name in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
        for json in [
            format!(r#"{{"{name}":"12"}}"#),
            format!(r#"[{{"\u0024{}":"12"}}]"#, &name[1..]),
            format!(r#"{{"a":1,"{name}":"12"}}"#),
        ] {
            assert_eq!(read::<Value>(&json), None, "{json}");
            assert_eq!(read::<Untagged<Value>>(&json), None, "{json}");
        }
    }
    assert_eq!(read("{\"$serde_json\":1}"), Some(json!({"$serde_json": 1})));
}

#[test]
fn numbers_are_the_same_under_every_attribute() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Flat {
        #[serde(flatten)]
        all: BTreeMap<String, f64>,
    }

    assert_eq!(read(r#"{"t":"A","n":0.5}"#), Some(Tagged::A { n: 0.5 }));
    assert_eq!(read("0.5"), Some(Untagged::Alone(0.5)));
    assert_eq!(read("12"), Some(Untagged::Alone(12_u8)));
    assert_eq!(read(r#"{"a":0.5}"#), Some(Flat { all: BTreeMap::from([("a".to_owned(), 0.5)]) }));
    assert_eq!(read::<Value>("1e400"), None);
    assert_eq!(read::<Value>(&"9".repeat(5_000)), None);
}
