//! Bincode: the bytes of both forms, and the datagrams that are refused.

use datagrammar_protocols::{Bincode, DatagramProtocol};
use serde::{Deserialize, Serialize};

use crate::{encode, hex};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Ping,
    Add { a: u32, b: u32 },
    Text(String),
}

impl Command {
    fn one_of_each() -> [Self; 3] {
        [Self::Ping, Self::Add { a: 300, b: 70_000 }, Self::Text("hi".to_owned())]
    }
}

// P-29 w25
#[test]
fn a_tuple_is_written_as_its_fields() {
    let bincode: Bincode<(Vec<u32>, Option<u32>)> = Bincode::new();

    let datagram = encode(&bincode, &(vec![1, 2, 3], None));

    assert_eq!(datagram, hex("0301020300"));
}

// P-29 w26, P-26
#[test]
fn the_standard_form_is_the_default() {
    let bincode: Bincode<Command> = Bincode::new();

    let datagrams = Command::one_of_each().map(|packet| encode(&bincode, &packet));

    assert_eq!(datagrams, ["00", "01 fb2c01 fc70110100", "02 02 6869"].map(hex));
}

// P-29 w27, P-26
#[test]
fn the_form_of_version_1_is_written_on_request() {
    let bincode: Bincode<Command> = Bincode::new().fixed();

    let datagrams = Command::one_of_each().map(|packet| encode(&bincode, &packet));

    let expected =
        ["00000000", "01000000 2c010000 70110100", "02000000 0200000000000000 6869"].map(hex);
    assert_eq!(datagrams, expected);
}

// P-29 w26, w27
#[test]
fn both_forms_read_back() {
    for bincode in [Bincode::<Command>::new(), Bincode::new().fixed()] {
        for packet in Command::one_of_each() {
            assert_eq!(bincode.decode(&encode(&bincode, &packet)).unwrap(), packet);
        }
    }
}

// P-29
#[test]
fn numbers_have_the_bytes_of_the_format() {
    let unsigned = [0, 250, 251, 65_535, 65_536, u64::from(u32::MAX) + 1]
        .map(|number| encode(&Bincode::<u64>::new(), &number));
    let signed = [0, -1, 1, -126, i64::MIN].map(|n| encode(&Bincode::<i64>::new(), &n));

    assert_eq!(
        unsigned,
        ["00", "fa", "fbfb00", "fbffff", "fc00000100", "fd0000000001000000"].map(hex)
    );
    assert_eq!(signed, ["00", "01", "02", "fbfb00", "fdffffffffffffffff"].map(hex));
    assert_eq!(encode(&Bincode::<f64>::new(), &1.5), hex("000000000000f83f"));
    assert_eq!(
        encode(&Bincode::<u128>::new(), &(1 << 64)),
        hex("fe 0000000000000000 0100000000000000")
    );
}
