//! Every format of MessagePack, and the vectors of `msgpack-test-suite`, read as values.

use datagrammar_protocols::Msgpack;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    any::{Any, float, list, map, text},
    hex, json_file, read, sets,
};

// P-25
#[test]
fn each_format_of_the_specification_is_read() {
    let bytes = |digits| Any::Bytes(hex(digits));
    let extension = |kind, digits| Any::Extension(kind, hex(digits));
    let formats = [
        ("7f", Any::Integer(127)),
        ("81 a161 01", map([(text("a"), 1.into())])),
        ("92 01 c0", list([1.into(), Any::Null])),
        ("a3 e6b0b4", text("水")),
        ("c0", Any::Null),
        ("c2", Any::Bool(false)),
        ("c3", Any::Bool(true)),
        ("c4 02 00ff", bytes("00ff")),
        ("c5 0001 61", bytes("61")),
        ("c6 00000001 61", bytes("61")),
        ("c7 03 05 010203", extension(5, "010203")),
        ("c8 0001 7f 01", extension(127, "01")),
        ("c9 00000000 80", extension(-128, "")),
        ("ca 3fc00000", float(1.5)),
        ("cb c010666666666666", float(-4.1)),
        ("cc ff", Any::Integer(255)),
        ("cd ffff", Any::Integer(65_535)),
        ("ce ffffffff", Any::Integer(4_294_967_295)),
        ("cf ffffffffffffffff", Any::Integer(18_446_744_073_709_551_615)),
        ("d0 80", Any::Integer(-128)),
        ("d1 8000", Any::Integer(-32_768)),
        ("d2 80000000", Any::Integer(-2_147_483_648)),
        ("d3 8000000000000000", Any::Integer(-9_223_372_036_854_775_808)),
        ("d4 01 ab", extension(1, "ab")),
        ("d5 01 abcd", extension(1, "abcd")),
        ("d6 ff 5a4af6a5", extension(-1, "5a4af6a5")),
        ("d7 ff a1dcd7c85a4af6a5", extension(-1, "a1dcd7c85a4af6a5")),
        (
            "d8 01 000102030405060708090a0b0c0d0e0f",
            extension(1, "000102030405060708090a0b0c0d0e0f"),
        ),
        ("d9 01 61", text("a")),
        ("da 0002 c3bc", text("ü")),
        ("db 00000004 f09f8dba", text("🍺")),
        ("dc 0001 01", list([1.into()])),
        ("dd 00000001 90", list([list([])])),
        ("de 0001 c0 80", map([(Any::Null, map([]))])),
        ("df 00000001 01 02", map([(1.into(), 2.into())])),
        ("e0", Any::Integer(-32)),
    ];

    for (digits, any) in formats {
        assert_eq!(read(&Msgpack::<Any, ()>::new(), &hex(digits), digits), any, "{digits}");
        passed_over(&hex(digits), digits);
    }
}

#[test]
fn all_encodings_of_msgpack_test_suite_are_read_as_values() {
    let Some(sets) = sets() else { return };
    let mut encodings = 0;

    for entry in entries(&json_file(&sets.join("msgpack-test-suite.json"))) {
        for digits in &entry.encodings {
            let datagram = hex(digits);
            passed_over(&datagram, digits);
            let any = read(&Msgpack::<Any, ()>::new(), &datagram, digits);
            match entry.kind.as_str() {
                "timestamp" => assert_eq!(time(&any), entry.value, "{digits}"),
                _ => assert_eq!(any, expected(&entry, &datagram), "{digits}"),
            }
            encodings += 1;
        }
    }
    assert_eq!(encodings, 233);
}

/// One value of the set: its kind, and all its encodings.
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) value: Value,
    pub(crate) encodings: Vec<String>,
}

pub(crate) fn entries(set: &Map<String, Value>) -> Vec<Entry> {
    let entry = |entry: &Value| {
        let Value::Object(fields) = entry else { panic!("an entry is not an object") };
        let kind = fields.keys().find(|kind| !["bignum", "msgpack"].contains(&kind.as_str()));
        // The digits of a number that JavaScript cannot represent, or not exactly.
        let digits = fields.get("bignum").and_then(Value::as_str);
        let kind = kind.map_or("number", String::as_str).to_owned();
        let value = digits.map_or_else(|| fields[&kind].clone(), |digits| digits.parse().unwrap());
        let encodings = Vec::deserialize(&fields["msgpack"]).expect("they are texts");
        Entry { kind, value, encodings }
    };
    set.values().flat_map(|entries| entries.as_array().expect("it is a list")).map(entry).collect()
}

fn expected(Entry { kind, value, .. }: &Entry, datagram: &[u8]) -> Any {
    let bytes = |digits: &Value| hex(digits.as_str().expect("they are digits"));
    match (kind.as_str(), value) {
        ("binary", digits) => Any::Bytes(bytes(digits)),
        ("ext", Value::Array(pair)) => {
            Any::Extension(pair[0].as_i64().unwrap() as i8, bytes(&pair[1]))
        }
        ("number", number) if matches!(datagram[0], 0xca | 0xcb) => float(number.as_f64().unwrap()),
        (_, value) => of_json(value),
    }
}

fn of_json(value: &Value) -> Any {
    match value {
        Value::Null => Any::Null,
        Value::Bool(value) => Any::Bool(*value),
        Value::Number(number) => Any::Integer(number.as_i128().expect("it is whole")),
        Value::String(string) => text(string),
        Value::Array(values) => Any::List(values.iter().map(of_json).collect()),
        Value::Object(fields) => {
            Any::Map(fields.iter().map(|(name, value)| (text(name), of_json(value))).collect())
        }
    }
}

/// The seconds and nanoseconds of a timestamp, in each of its three forms.
fn time(any: &Any) -> Value {
    let Any::Extension(-1, bytes) = any else { panic!("not a timestamp: {any:?}") };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let (seconds, nanoseconds) = match bytes.len() {
        4 => (number(bytes) as i64, 0),
        8 => ((number(bytes) & ((1 << 34) - 1)) as i64, number(bytes) >> 34),
        12 => (number(&bytes[4..]) as i64, number(&bytes[..4])),
        len => panic!("a timestamp of {len} bytes"),
    };
    serde_json::json!([seconds, nanoseconds])
}

/// Asserts that a value of a field that the type does not have is skipped, and the rest of the packet is read.
#[track_caller]
fn passed_over(datagram: &[u8], what: &str) {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Data {
        data: u64,
    }
    let unknown = [&hex("82 a178"), datagram, &hex("a4 64617461 2a")].concat();

    read(&Msgpack::<IgnoredAny, ()>::new(), datagram, what);
    let packet = read(&Msgpack::<Data, ()>::new(), &unknown, what);
    assert_eq!(packet, Data { data: 42 }, "{what}");
}
