//! Every encoding of MessagePack, read as types that ask for a certain value, as in programs.

use std::collections::BTreeMap;

use datagrammar_protocols::{DatagramProtocol, Msgpack};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Number, Value};

use super::{
    any::Any,
    hex,
    integers::{Whole, of_each_type},
    json_file,
    msgpack::entries,
    read, sets,
};

// P-25: JavaScript writes integers above 2^32 in this way.
#[test]
fn whole_floats_are_integers_for_integer_types() {
    let numbers = [
        ("ca 00000000", Some(0)),
        ("ca 42280000", Some(42)),
        ("ca c2000000", Some(-32)),
        ("ca 5f000000", Some(1 << 63)),
        ("ca 5f800000", Some(1 << 64)),
        ("cb 4279365481d03000", Some(1_732_571_045_123)),
        ("cb c1f0000000000000", Some(-4_294_967_296)),
        ("cb 433fffffffffffff", Some((1 << 53) - 1)),
        ("cb 43dfffffffffffff", Some(9_223_372_036_854_774_784)),
        ("cb c3e0000000000000", Some(-1 << 63)),
        ("cb 8000000000000000", Some(0)),
        ("ca ff000000", Some(i128::MIN)),
        ("ca 7f800000", None),
        ("ca ff000001", None),
        ("ca 3fc00000", None),
        ("cb 3fe0000000000000", None),
        ("cb 7ff0000000000000", None),
        ("cb 7ff8000000000000", None),
    ];

    for (digits, number) in numbers {
        let number = number.map(Whole::new);
        assert_eq!(of_each_type!(Msgpack, &hex(digits), number, digits), 10);
    }
    let greatest = Some(Whole::Positive(0xffff_ff00 << 96));
    assert_eq!(of_each_type!(Msgpack, &hex("ca 7f7fffff"), greatest, "the greatest"), 10);
}

#[test]
fn all_encodings_of_msgpack_test_suite_are_read_as_types() {
    let Some(sets) = sets() else { return };
    let (mut encodings, mut as_integers, mut written_alike) = (0, 0, 0);

    for entry in entries(&json_file(&sets.join("msgpack-test-suite.json"))) {
        for digits in &entry.encodings {
            let datagram = &hex(digits);
            match (entry.kind.as_str(), &entry.value) {
                ("nil", _) => {
                    reads(datagram, &());
                    reads(datagram, &None::<u8>);
                }
                ("bool", value) => reads(datagram, &value.as_bool().unwrap()),
                ("binary", value) => reads(datagram, &hex(value.as_str().unwrap())),
                ("number", value) => {
                    let number = value.as_number().and_then(Number::as_i128).map(Whole::new);
                    as_integers += of_each_type!(Msgpack, datagram, number, digits);
                    reads(datagram, &value.as_f64().unwrap());
                }
                ("string", value) => reads(datagram, &value.as_str().unwrap().to_owned()),
                ("array", value) => reads(datagram, value),
                ("map", value) => {
                    let map: BTreeMap<String, Value> = Deserialize::deserialize(value).unwrap();
                    reads(datagram, &map);
                }
                ("timestamp" | "ext", _) => {
                    // Asks for an extension in the same way as the crates that have types for them.
                    let value = read(&Msgpack::<Any, ()>::new(), datagram, digits);
                    let Extension((kind, bytes)) = read(&Msgpack::<_, ()>::new(), datagram, digits);
                    let Any::Bytes(bytes) = bytes else { panic!("not bytes: {bytes:?}") };
                    assert_eq!(Any::Extension(kind, bytes), value, "{digits}");
                }
                (kind, _) => panic!("{kind} is a new kind"),
            }
            encodings += 1;
        }
        if ["nil", "bool", "number", "string", "array", "map"].contains(&entry.kind.as_str()) {
            let written = written(&entry.value);
            assert!(entry.encodings.iter().any(|digits| hex(digits) == written), "{written:02x?}");
            written_alike += 1;
        }
    }
    assert_eq!((encodings, as_integers, written_alike), (233, 1290, 56));
}

#[derive(Deserialize)]
#[serde(rename = "_ExtStruct")]
struct Extension((i8, Any));

fn written(value: &Value) -> Vec<u8> {
    let mut datagram = Vec::new();
    Msgpack::<(), _>::new().encode(value, &mut datagram).unwrap();
    datagram
}

#[track_caller]
fn reads<T: std::fmt::Debug + DeserializeOwned + PartialEq>(datagram: &[u8], packet: &T) {
    let what = format!("{datagram:02x?}");
    assert_eq!(read(&Msgpack::<T, ()>::new(), datagram, &what), *packet, "{what}");
}
