//! Entries that a type does not have.

use datagrammar_protocols::{Cbor, DatagramProtocol};
use serde::{Deserialize, de::IgnoredAny};

use super::{Command, Row, reads, refuses};
use crate::{hex, on_small_stack};

// P-25: an entry that is added to a packet later may have any key.
#[test]
fn an_unknown_entry_is_skipped_with_any_key() {
    for key in KEYS {
        let row = Row { key: vec![], data: Some(42) };

        reads(&format!("a3 63 6b6579 80 64 64617461 182a {key} 02"), &row);
        reads(&format!("a3 {key} a1 {key} {key} 63 6b6579 80 64 64617461 182a"), &row);
        reads(&format!("bf 63 6b6579 80 {key} 9f {key} ff 64 64617461 182a ff"), &row);
        reads(&format!("a1 63 416464 a3 61 61 01 {key} 02 61 62 03"), &Command::Add { a: 1, b: 3 });
    }
}

#[test]
fn a_field_with_an_empty_name_is_not_confused_with_a_skipped_entry() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Nameless {
        #[serde(rename = "")]
        field: Option<u8>,
    }

    reads("a2 01 02 60 03", &Nameless { field: Some(3) });
    reads("a1 80 02", &Nameless { field: None });
}

#[test]
fn a_number_is_not_the_position_of_a_field() {
    refuses::<Row>("a2 00 80 01 182a");
    reads("a3 63 6b6579 80 00 f6 01 01", &Row { key: vec![], data: None });
}

#[test]
fn a_type_that_denies_unknown_fields_refuses_them_with_any_key() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Closed {
        a: u8,
    }

    reads("a1 61 61 01", &Closed { a: 1 });
    for key in KEYS {
        refuses::<Closed>(&format!("a2 61 61 01 {key} 02"));
    }
}

// serde keeps the entries of a flattened part, and supports only keys that are a single value.
#[test]
fn an_unknown_entry_beside_a_flattened_part_is_skipped_if_its_key_is_one_value() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        part: Part,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Part {
        b: u8,
    }

    for key in ["01", "20", "40", "41ff", "60", "61 78", "c1 05", "f4", "f6", "f7", "f93e00"] {
        reads(&format!("a3 61 61 01 {key} 02 61 62 03"), &Flat { a: 1, part: Part { b: 3 } });
    }
    for key in ["80", "a0", "f0", "c249010000000000000000"] {
        refuses::<Flat>(&format!("a3 61 61 01 {key} 02 61 62 03"));
    }
}

// serde keeps all entries, and accepts as a field name only text and bytes.
#[test]
fn an_unknown_entry_of_a_variant_with_a_tag_inside_is_skipped_if_its_key_is_text_or_bytes() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "t")]
    enum Inside {
        A { k: u8 },
    }

    for key in ["40", "41ff", "60", "61 78", "7f 61 78 ff", "c1 61 78"] {
        reads(&format!("a3 61 74 61 41 61 6b 06 {key} 02"), &Inside::A { k: 6 });
        reads(&format!("a3 {key} 80 61 74 61 41 61 6b 06"), &Inside::A { k: 6 });
    }
    for key in ["20", "80", "a0", "f0", "f4", "f6", "f93c00", "c249010000000000000000"] {
        refuses::<Inside>(&format!("a3 61 74 61 41 61 6b 06 {key} 02"));
    }
}

// P-2
#[test]
fn malformed_items_are_refused_in_skipped_values() {
    for item in [
        "1c", // reserved
        "3e",
        "5d",
        "fc",
        "ff",   // a break without a beginning
        "f800", // simple values in two bytes instead of one
        "f814",
        "f81f",
        "c1", // a tag without content: it takes the next item, so one is missing
        "c2",
        "df",        // a tag of indefinite length
        "63 eda080", // a lone surrogate
        "61 ff",
        "7f 61 c3 61 a9 ff", // a character in two pieces
        "7f 41 61 ff",       // a byte string in text
        "5f 61 61 ff",
        "5f 5f ff ff",
        "81", // elements that are missing
        "9f",
        "a1",
        "a1 01",
        "bf 01 ff", // a key without a value
        "9b ffffffffffffffff",
        "5b 7fffffffffffffff",
        "d9",
    ] {
        let data = "64 64617461 182a";
        refuses::<Row>(&format!("a3 63 6b6579 80 {data} 01 {item}"));
        refuses::<Row>(&format!("a3 63 6b6579 80 {data} {item} 01"));
        refuses::<Row>(&format!("a3 63 6b6579 80 {data} 01 81 {item}"));
        refuses::<Row>(&format!("a3 {item} 01 63 6b6579 80 {data}"));
        refuses::<Row>(&format!("a3 81 {item} 01 63 6b6579 80 {data}"));
        refuses::<Row>(&format!("a3 01 {item} 63 6b6579 80 {data}"));
        refuses::<Row>(&format!("a3 01 d8ff {item} 63 6b6579 80 {data}"));
        refuses::<Row>(&format!("a3 01 a1 01 {item} 63 6b6579 80 {data}"));
    }
}

// P-25, P-5
#[test]
fn skipped_keys_have_the_nesting_limit() {
    on_small_stack(|| {
        let row = |depth: usize, piece: &str, end: &str| {
            hex(&format!("a2 63 6b6579 80 {}{end} 00", piece.repeat(depth)))
        };

        assert!(Cbor::<Row, ()>::new().decode(&row(98, "81", "80")).is_ok());
        assert!(Cbor::<Row, ()>::new().decode(&row(98, "a100", "a0")).is_ok());
        for depth in [99, 100, 65_000] {
            assert!(Cbor::<Row, ()>::new().decode(&row(depth, "81", "80")).is_err());
            assert!(Cbor::<Row, ()>::new().decode(&row(depth, "a100", "a0")).is_err());
        }
    });
}

// It is skipped like any other tag, because only types that ask for big integers interpret it.
#[test]
fn a_tag_of_big_integers_around_another_value_is_skipped() {
    reads("a3 63 6b6579 80 01 c2 182a 02 81 c3 f6", &Row { key: vec![], data: None });
    reads("a2 63 6b6579 80 c2 01 f6", &Row { key: vec![], data: None });
    assert!(Cbor::<IgnoredAny, ()>::new().decode(&hex("c2 182a")).is_ok());
    refuses::<IgnoredAny>("c2");
    refuses::<IgnoredAny>("c2 ff");
    refuses::<u64>("c2 182a");
    refuses::<Option<u64>>("c2 f6");
}

// Every kind of item that is not the name of a field.
const KEYS: [&str; 35] = [
    "00",
    "01",
    "17",
    "1818",
    "1bffffffffffffffff",
    "20",
    "3863",
    "3bffffffffffffffff",
    "c249010000000000000000",
    "c35820ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "40",
    "41ff",
    "43010203",
    "5f4101420203ff",
    "60",
    "61 78",
    "7818 787878787878787878787878787878787878787878787878",
    "7f 61 78 ff",
    "80",
    "82 01 a1 02 03",
    "9f 01 02 ff",
    "a0",
    "a1 61 78 81 f6",
    "bf 01 02 ff",
    "c1 05",
    "d9d9f7 c1 81 61 78",
    "f4",
    "f5",
    "f6",
    "f7",
    "f0",
    "f8ff",
    "f93e00",
    "fa3fc00000",
    "fb3ff8000000000000",
];
