//! Entries that a type does not have.

use datagrammar_protocols::{DatagramProtocol, Msgpack};
use serde::Deserialize;

use super::{Command, Row, reads, refuses};
use crate::{hex, on_small_stack};

// P-25: an entry that is added to a packet later may have any key.
#[test]
fn an_unknown_entry_is_skipped_with_any_key() {
    for key in KEYS {
        let row = Row { key: vec![], data: Some(42) };

        reads(&format!("83 a3 6b6579 90 a4 64617461 2a {key} 02"), &row);
        reads(&format!("83 {key} 81 {key} {key} a3 6b6579 90 a4 64617461 2a"), &row);
        reads(&format!("81 a3 416464 83 a161 01 {key} 02 a162 03"), &Command::Add { a: 1, b: 3 });
    }
}

#[test]
fn a_number_is_not_the_position_of_a_field() {
    refuses::<Row>("82 00 90 01 2a");
    reads("83 a3 6b6579 90 00 c0 01 01", &Row { key: vec![], data: None });
}

#[test]
fn a_type_that_denies_unknown_fields_refuses_them_with_any_key() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Closed {
        a: u8,
    }

    reads("81 a161 01", &Closed { a: 1 });
    for key in KEYS {
        refuses::<Closed>(&format!("82 a161 01 {key} 02"));
    }
}

// P-2
#[test]
fn malformed_items_are_refused_in_skipped_values() {
    for item in ["c1", "91", "81", "81 01", "92 01", "dd ffffffff", "c6 7fffffff", "c7 05 01", "d9"]
    {
        let data = "a4 64617461 2a";
        refuses::<Row>(&format!("83 a3 6b6579 90 {data} 01 {item}"));
        refuses::<Row>(&format!("83 a3 6b6579 90 {data} {item} 01"));
        refuses::<Row>(&format!("83 {item} 01 a3 6b6579 90 {data}"));
        refuses::<Row>(&format!("83 91 {item} 01 a3 6b6579 90 {data}"));
        refuses::<Row>(&format!("83 01 {item} a3 6b6579 90 {data}"));
        refuses::<Row>(&format!("83 01 81 01 {item} a3 6b6579 90 {data}"));
    }
}

// P-25, P-5
#[test]
fn skipped_keys_have_the_nesting_limit() {
    on_small_stack(|| {
        let row = |depth: usize, piece: &str, end: &str| {
            hex(&format!("82 a3 6b6579 90 {}{end} 00", piece.repeat(depth)))
        };

        assert!(Msgpack::<Row, ()>::new().decode(&row(98, "91", "90")).is_ok());
        assert!(Msgpack::<Row, ()>::new().decode(&row(98, "8100", "80")).is_ok());
        for depth in [99, 100, 65_000] {
            assert!(Msgpack::<Row, ()>::new().decode(&row(depth, "91", "90")).is_err());
            assert!(Msgpack::<Row, ()>::new().decode(&row(depth, "8100", "80")).is_err());
        }
    });
}

// Every kind of item that is not the name of a field.
const KEYS: [&str; 24] = [
    "00",
    "01",
    "7f",
    "cc80",
    "cfffffffffffffffff",
    "ff",
    "d0 80",
    "d3 8000000000000000",
    "c400",
    "c401ff",
    "c403010203",
    "a0",
    "a178",
    "d918 787878787878787878787878787878787878787878787878",
    "90",
    "92 01 81 02 03",
    "80",
    "81 a178 91 c0",
    "c2",
    "c3",
    "c0",
    "ca3fc00000",
    "cb3ff8000000000000",
    "d6ff 00000000",
];
