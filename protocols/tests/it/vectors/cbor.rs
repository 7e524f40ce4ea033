//! The examples of RFC 8949, appendix A.

use std::collections::BTreeMap;

use datagrammar_protocols::{Cbor, DatagramProtocol};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    any::{Any, float, list, map, text},
    hex, item, json_file, read, refused, sets,
};

// P-25
#[test]
fn examples_of_appendix_a_have_their_values() {
    let numbers = (1..=25).map(Any::Integer).collect();
    let one_to_five = list([1.into(), list([2.into(), 3.into()]), list([4.into(), 5.into()])]);
    let a_and_b = map([(text("a"), 1.into()), (text("b"), list([2.into(), 3.into()]))]);
    let examples = [
        ("00", Any::Integer(0)),
        ("17", Any::Integer(23)),
        ("1818", Any::Integer(24)),
        ("1903e8", Any::Integer(1_000)),
        ("1a000f4240", Any::Integer(1_000_000)),
        ("1b000000e8d4a51000", Any::Integer(1_000_000_000_000)),
        ("1bffffffffffffffff", Any::Integer(18_446_744_073_709_551_615)),
        ("c249010000000000000000", Any::Integer(18_446_744_073_709_551_616)),
        ("3bffffffffffffffff", Any::Integer(-18_446_744_073_709_551_616)),
        ("c349010000000000000000", Any::Integer(-18_446_744_073_709_551_617)),
        ("20", Any::Integer(-1)),
        ("3903e7", Any::Integer(-1_000)),
        ("f98000", float(-0.0)),
        ("fb3ff199999999999a", float(1.1)),
        ("f97bff", float(65_504.0)),
        ("fa47c35000", float(100_000.0)),
        ("fa7f7fffff", float(3.402_823_466_385_288_6e38)),
        ("fb7e37e43c8800759c", float(1e300)),
        ("f90001", float(5.960_464_477_539_063e-8)),
        ("f90400", float(0.000_061_035_156_25)),
        ("f9c400", float(-4.0)),
        ("fbc010666666666666", float(-4.1)),
        ("f97c00", float(f64::INFINITY)),
        ("faff800000", float(f64::NEG_INFINITY)),
        ("f97e00", Any::Float(0x7ff8_0000_0000_0000)),
        ("f4", Any::Bool(false)),
        ("f5", Any::Bool(true)),
        ("f6", Any::Null),
        ("f7", Any::Null),
        ("c074323031332d30332d32315432303a30343a30305a", text("2013-03-21T20:04:00Z")),
        ("c11a514b67b0", Any::Integer(1_363_896_240)),
        ("c1fb41d452d9ec200000", float(1_363_896_240.5)),
        ("d74401020304", Any::Bytes(vec![1, 2, 3, 4])),
        ("d818456449455446", Any::Bytes(b"\x64IETF".to_vec())),
        ("40", Any::Bytes(vec![])),
        ("62225c", text("\"\\")),
        ("62c3bc", text("ü")),
        ("64f0908591", text("𐅑")),
        ("80", list([])),
        ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", Any::List(numbers)),
        ("a201020304", map([(1.into(), 2.into()), (3.into(), 4.into())])),
        ("a26161016162820203", a_and_b.clone()),
        ("826161a161626163", list([text("a"), map([(text("b"), text("c"))])])),
        ("5f42010243030405ff", Any::Bytes(vec![1, 2, 3, 4, 5])),
        ("7f657374726561646d696e67ff", text("streaming")),
        ("9f018202039f0405ffff", one_to_five.clone()),
        ("83019f0203ff820405", one_to_five),
        ("bf61610161629f0203ffff", a_and_b),
        (
            "bf6346756ef563416d7421ff",
            map([(text("Fun"), Any::Bool(true)), (text("Amt"), (-2).into())]),
        ),
    ];

    for (digits, any) in examples {
        assert_eq!(read(&Cbor::<Any, ()>::new(), &hex(digits), digits), any, "{digits}");
    }
}

// RFC 8949, section 3.3: all of them are well-formed, except those that have a shorter form.
#[test]
fn simple_values_that_are_not_assigned_yet_are_skipped() {
    let of_one_byte = (0xe0..=0xf3_u8).map(|initial| vec![initial]);
    let of_two = (0x20..=0xff_u8).map(|value| vec![0xf8, value]);

    for simple in of_one_byte.chain(of_two) {
        passed_over(&simple, &format!("{simple:x?}"));
    }
    for reserved in 0..0x20 {
        let datagram = in_an_unknown_field(&[0xf8, reserved]);
        refused(&Cbor::<Data, ()>::new(), &datagram, &format!("f8{reserved:02x}"));
    }
}

// P-25
#[test]
fn whole_floats_are_integers_for_integer_types() {
    let cbor = |digits| hex(&format!("a1 64 64617461 {digits}"));
    let reads = |digits, data| {
        assert_eq!(read(&Cbor::<Data, ()>::new(), &cbor(digits), digits), Data { data });
    };

    reads("f90000", 0);
    reads("f95140", 42);
    reads("fa42280000", 42);
    reads("fb4045000000000000", 42);
    reads("fb4279365481d03000", 1_732_571_045_123);
    reads("fb433fffffffffffff", (1 << 53) - 1);
    for digits in ["f9bc00", "f93e00", "fb43f0000000000000", "f97c00", "f97e00"] {
        refused(&Cbor::<Data, ()>::new(), &cbor(digits), digits);
    }
}

#[test]
fn all_vectors_of_appendix_a_have_their_values() {
    #[derive(Deserialize)]
    struct Example {
        hex: String,
        roundtrip: bool,
        decoded: Option<Value>,
        diagnostic: Option<String>,
    }
    let Some(sets) = sets() else { return };
    let examples: Vec<Example> = json_file(&sets.join("appendix_a.json"));
    let mut written_alike = 0;

    for Example { hex: digits, roundtrip, decoded, diagnostic } in &examples {
        let datagram = hex(digits);
        if digits == "f818" {
            // The file follows RFC 7049. In RFC 8949 a value below 32 in two bytes is not well-formed.
            refused(&Cbor::<IgnoredAny, ()>::new(), &datagram, digits);
            continue;
        }
        passed_over(&datagram, digits);
        let expected = item::whole(&datagram);
        if expected.holds_simple() {
            refused(&Cbor::<Any, ()>::new(), &datagram, digits);
            continue;
        }
        assert_eq!(read(&Cbor::<Any, ()>::new(), &datagram, digits), expected, "{digits}");
        if let Some(decoded) = decoded.as_ref().filter(|decoded| decoded.as_f64().is_none()) {
            // The numbers in the file are JSON numbers, so not all of them are exact.
            let value = read(&Cbor::<Value, ()>::new(), &datagram, digits);
            assert_eq!(value, *decoded, "{digits}");
            if *roundtrip {
                let mut written = Vec::new();
                Cbor::<(), _>::new().encode(&value, &mut written).unwrap();
                assert_eq!(written, datagram, "{digits}");
                written_alike += 1;
            }
        }
        if let Some(number) = decoded.as_ref().and_then(Value::as_f64) {
            let float = read(&Cbor::<f64, ()>::new(), &datagram, digits);
            assert_eq!(float.to_bits(), number.to_bits(), "{digits}");
        }
        if let Some(name) = diagnostic {
            is_as_the_diagnostic_notation_has_it(name, &datagram);
        }
    }
    assert_eq!((examples.len(), written_alike), (82, 17));
}

/// Compares a value with the diagnostic notation (RFC 8949, section 8), as far as the file uses it.
fn is_as_the_diagnostic_notation_has_it(notation: &str, datagram: &[u8]) {
    let any = read(&Cbor::<Any, ()>::new(), datagram, notation);
    let untagged = match notation.split_once('(') {
        Some((tag, rest)) if tag.parse::<u64>().is_ok() => rest.strip_suffix(')').unwrap(),
        _ => notation,
    };
    let bytes = |digits: &str| Any::Bytes(hex(digits.trim_start_matches("h'")));
    let expected = match untagged {
        "Infinity" => float(f64::INFINITY),
        "-Infinity" => float(f64::NEG_INFINITY),
        "NaN" => float(f64::NAN),
        "undefined" => Any::Null,
        "{1: 2, 3: 4}" => map([(1.into(), 2.into()), (3.into(), 4.into())]),
        "(_ h'0102', h'030405')" => bytes("0102030405"),
        quoted if quoted.starts_with('"') => text(quoted.trim_matches('"')),
        digits if digits.starts_with("h'") => bytes(digits),
        number if number.contains('.') => float(number.parse().unwrap()),
        number => Any::Integer(number.parse().unwrap()),
    };
    assert_eq!(any, expected, "{notation}");
}

/// Asserts that a value of a field that the type does not have is skipped, and the rest of the packet is read.
#[track_caller]
pub(crate) fn passed_over(datagram: &[u8], what: &str) {
    let cbor = Cbor::<IgnoredAny, ()>::new().nesting_limit(NESTING);
    read(&cbor, datagram, what);
    let cbor = Cbor::<Data, ()>::new().nesting_limit(NESTING);
    let packet = read(&cbor, &in_an_unknown_field(datagram), what);
    assert_eq!(packet, Data { data: 42 }, "{what}");
    let cbor = Cbor::<BTreeMap<String, IgnoredAny>, ()>::new().nesting_limit(NESTING);
    assert_eq!(read(&cbor, &in_an_unknown_field(datagram), what).len(), 2, "{what}");
}

/// `{"x": …, "data": 42}`
pub(crate) fn in_an_unknown_field(datagram: &[u8]) -> Vec<u8> {
    [&hex("a2 6178"), datagram, &hex("64 64617461 182a")].concat()
}

#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Data {
    pub(crate) data: u64,
}

/// More levels than in any vector.
pub(crate) const NESTING: usize = 1_000;
