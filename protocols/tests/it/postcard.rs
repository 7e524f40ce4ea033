//! Postcard: the bytes of the format, and the datagrams that are refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Postcard};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{encode, hex, on_small_stack};

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

// P-1
#[test]
fn a_packet_is_written_as_its_fields() {
    let tuple: Postcard<(Vec<u32>, Option<u32>)> = Postcard::new();
    let command: Postcard<Command> = Postcard::new();

    assert_eq!(encode(&tuple, &(vec![1, 2, 3], None)), hex("0301020300"));
    let datagrams = Command::one_of_each().map(|packet| encode(&command, &packet));
    assert_eq!(datagrams, ["00", "01 ac02 f0a204", "02 02 6869"].map(hex));
    for packet in Command::one_of_each() {
        assert_eq!(command.decode(&encode(&command, &packet)).unwrap(), packet);
    }
}

// The examples of the format's specification.
#[test]
fn numbers_have_the_bytes_of_the_format() {
    let unsigned = [0, 127, 128, 16_383, 16_384, 16_385, 65_535]
        .map(|number| encode(&Postcard::<u16>::new(), &number));
    let signed = [0, -1, 1, 63, -64, 64, -65, 32_767, -32_768]
        .map(|number| encode(&Postcard::<i16>::new(), &number));

    let expected = ["00", "7f", "8001", "ff7f", "808001", "818001", "ffff03"];
    assert_eq!(unsigned, expected.map(hex));
    let expected = ["00", "01", "02", "7e", "7f", "8001", "8101", "feff03", "ffff03"];
    assert_eq!(signed, expected.map(hex));
    assert_eq!(encode(&Postcard::<f32>::new(), &-32.005_86), hex("000600c2"));
    assert_eq!(encode(&Postcard::<i8>::new(), &-1), hex("ff"));
    assert_eq!(encode(&Postcard::<char>::new(), &'é'), hex("02c3a9"));
}

// P-2
#[test]
fn trailing_bytes_are_refused() {
    let postcard: Postcard<Command> = Postcard::new();

    for packet in Command::one_of_each() {
        for byte in 0..=u8::MAX {
            let datagram = [encode(&postcard, &packet), vec![byte]].concat();

            let error = postcard.decode(&datagram).unwrap_err();

            assert_eq!(error.kind(), ErrorKind::Codec);
            assert_eq!(error.to_string(), "trailing bytes after the packet");
            assert_eq!(error.source().unwrap().to_string(), "1 byte");
        }
    }
}

// P-3
#[test]
fn a_datagram_that_is_cut_anywhere_is_refused() {
    let postcard: Postcard<Command> = Postcard::new();

    for packet in Command::one_of_each() {
        let datagram = encode(&postcard, &packet);

        for len in 0..datagram.len() {
            assert!(postcard.decode(&datagram[..len]).is_err(), "{packet:?} cut to {len}");
        }
    }
}

#[test]
fn datagrams_of_another_type_are_refused() {
    refuses::<bool>("02");
    refuses::<Option<u8>>("0200");
    refuses::<u16>("ffff04");
    refuses::<u16>("80808000");
    refuses::<u64>("ffffffffffffffffff02");
    refuses::<String>("02c328");
    refuses::<Command>("03");
}

// P-5
#[test]
fn nesting_is_limited_to_64_levels() {
    on_small_stack(|| {
        let list = |len| [vec![1; len], vec![0]].concat();

        assert!(Postcard::<List, ()>::new().decode(&list(64)).is_ok());
        for len in [65, 65_506, 100_000] {
            assert!(Postcard::<List, ()>::new().decode(&list(len)).is_err());
        }
        assert!(Postcard::<List, ()>::new().nesting_limit(2).decode(&list(2)).is_ok());
        assert!(Postcard::<List, ()>::new().nesting_limit(2).decode(&list(3)).is_err());
    });
}

// P-5
#[test]
fn a_declared_length_beyond_the_bytes_is_refused_at_once() {
    let declared = "808080808080808010"; // 2^60

    refuses::<Vec<()>>(declared);
    refuses::<Vec<u64>>(declared);
    refuses::<BTreeSet<()>>(declared);
    refuses::<BTreeMap<(), ()>>(declared);
    refuses::<Vec<Vec<()>>>(&format!("01{declared}"));
    refuses::<String>(declared);
    refuses::<std::ffi::CString>(declared);
}

// P-5
#[test]
fn the_longest_udp_datagram_may_be_full_of_the_smallest_elements() {
    let postcard: Postcard<Vec<u128>> = Postcard::new();
    let packet = vec![1; 65_504];

    let datagram = encode(&postcard, &packet);

    assert_eq!(datagram.len(), 65_507);
    assert_eq!(postcard.decode(&datagram).unwrap(), packet);
}

#[track_caller]
fn refuses<T: DeserializeOwned>(datagram: &str) {
    assert!(Postcard::<T, ()>::new().decode(&hex(datagram)).is_err(), "{datagram}");
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum List {
    Nil,
    Cons(Box<Self>),
}
