use std::{error::Error, rc::Rc};

use datagrammar_protocols::{Bincode, DatagramProtocol, ErrorKind};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq};

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
fn a_tuple_is_its_fields() {
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
fn the_form_of_1x_is_written_if_asked_for() {
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
fn numbers_have_the_octets_of_the_format() {
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

// P-7, H-13
#[test]
fn the_message_repeats_no_octet_of_the_datagram() {
    let bincode: Bincode<char> = Bincode::new();

    let error = bincode.decode(b"\xf0SECRET").unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Codec);
    assert_eq!(error.to_string(), "bincode of the packet was expected");
    assert!(error.source().is_some());
}

// P-7
#[test]
fn a_sequence_of_unknown_length_is_an_encode_error() {
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_seq(None)?.end()
        }
    }

    let error = Bincode::<(), Endless>::new().encode(&Endless, &mut Vec::new()).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.source().is_some());
}

#[test]
fn the_codec_can_cross_threads_whatever_its_packets_are() {
    fn is_plain<T: Send + Sync + Copy + std::fmt::Debug + Default>() {}

    is_plain::<Bincode<Rc<u8>>>();
}
