//! Names of fields and variants that are not text.

use serde::Deserialize;

use super::{Command, Row, reads, refuses};

// P-25: Python sends such names for `{b"bar": 42}`.
#[test]
fn names_of_fields_as_binary_are_read() {
    let row = Row { key: vec![1], data: Some(42) };

    reads("82 c403 6b6579 91 01 c404 64617461 2a", &row);
    reads("82 a3 6b6579 91 01 c404 64617461 2a", &row);
    reads("82 c50003 6b6579 91 01 c600000004 64617461 2a", &row);
    refuses::<Row>("82 c402 6b65 91 01 c404 64617461 2a"); // "ke" is not a field, and "key" is missing
    refuses::<Row>("82 d503 6b65 91 01 c404 64617461 2a"); // an extension is not a name
}

#[test]
fn a_field_given_twice_is_refused_in_all_forms_of_its_name() {
    refuses::<Row>("83 a3 6b6579 90 c403 6b6579 90 a4 64617461 01");
    refuses::<Row>("83 c403 6b6579 90 c403 6b6579 90 a4 64617461 01");
}

#[test]
fn names_of_variants_as_binary_are_read() {
    reads("c404 50696e67", &Command::Ping);
    reads("81 c404 50696e67 c0", &Command::Ping);
    reads("81 c404 50616972 92 01 02", &Command::Pair(1, 2));
    reads("81 c403 416464 82 c401 61 07 c401 62 08", &Command::Add { a: 7, b: 8 });
    refuses::<Command>("c404 50696e68");
    refuses::<Command>("c404 5069ff67");
}

// rmp-serde wrote variants by their position until version 0.15.
#[test]
fn variants_are_read_by_their_position() {
    for place in ["00", "cc00", "cd0000", "ce00000000", "cf0000000000000000", "d000"] {
        reads(place, &Command::Ping);
        reads(&format!("81 {place} c0"), &Command::Ping);
    }
    for place in ["01", "cc01", "cd0001", "ce00000001", "cf0000000000000001", "d30000000000000001"]
    {
        reads(&format!("81 {place} 92 07 08"), &Command::Add { a: 7, b: 8 });
        reads(&format!("81 {place} 82 a161 07 a162 08"), &Command::Add { a: 7, b: 8 });
        refuses::<Command>(place);
    }
    reads("81 02 92 01 02", &Command::Pair(1, 2));
    reads("81 03 a161", &Command::Text("a".to_owned()));
    reads("93 00 81 03 a161 00", &[Command::Ping, Command::Text("a".to_owned()), Command::Ping]);
    for place in ["04", "7f", "cc80", "cd0100", "ce80000000", "cfffffffffffffffff"] {
        refuses::<Command>(place);
        refuses::<Command>(&format!("81 {place} c0"));
    }
    for place in ["ff", "d0ff", "cb0000000000000000", "c0", "c2", "90"] {
        refuses::<Command>(place);
        refuses::<Command>(&format!("81 {place} c0"));
    }
    refuses::<Command>("80");
    refuses::<Command>("82 00 c0 00 c0");
}

// A name may be binary with every attribute of serde.
#[test]
fn names_as_binary_are_read_under_every_attribute() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        k: u8,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Flat {
        n: u8,
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "t")]
    enum Inside {
        A { k: u8 },
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "t", content = "c")]
    enum Beside {
        A { k: u8 },
    }

    reads("82 c401 6e 05 c401 6b 06", &Flat { n: 5, inner: Inner { k: 6 } });
    reads("82 c401 74 c401 41 c401 6b 06", &Inside::A { k: 6 });
    reads("82 c401 74 c401 41 c401 63 81 c401 6b 06", &Beside::A { k: 6 });
    reads("82 c401 63 81 c401 6b 06 c401 74 c401 41", &Beside::A { k: 6 });
}
