//! CBOR: the bytes of structs, enums and tuples, and the datagrams that are refused.

mod names;
mod numbers;
mod senders;
mod simple;
mod unknown;

use std::{collections::BTreeMap, error::Error};

use datagrammar_protocols::{Cbor, DatagramProtocol};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{encode, hex, on_small_stack};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Row {
    key: Vec<u32>,
    data: Option<u32>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Ping,
    Add { a: u32, b: u32 },
    Pair(u8, u8),
    Text(String),
}

// P-29 w20, P-25
#[test]
fn a_struct_is_a_map_of_names() {
    let cbor: Cbor<Row> = Cbor::new();
    let packet = Row { key: vec![1, 2, 3], data: None };

    let datagram = encode(&cbor, &packet);

    assert_eq!(datagram, hex("a2636b6579830102036464617461f6"));
    assert_eq!(cbor.decode(&datagram).unwrap(), packet);
}

// P-29 w22, P-25
#[test]
fn indefinite_lengths_are_read() {
    reads("bf6464617461182a636b65799f0102ffff", &Row { key: vec![1, 2], data: Some(42) });
    reads("bf6464617461182aff", &BTreeMap::from([("data".to_owned(), 42)]));
    reads("7f 6161 626263 60 ff", &"abc".to_owned());
    reads("5f 4101 42ff02 ff", &c"\x01\xff\x02".to_owned());
    reads("9fff", &Vec::<u8>::new());
}

// P-25: a tuple reads only its elements, so it does not see the end of the array.
#[test]
fn tuples_of_indefinite_length_are_read() {
    reads("9f 01 9f 02 03 ff 04 ff", &(1, (2, 3), 4));
    reads("9f 01 02 ff", &[1, 2]);
    reads("a1 6450616972 9f 01 02 ff", &Command::Pair(1, 2));
}

// P-25
#[test]
fn names_and_variants_of_indefinite_length_are_read() {
    reads("bf 7f 626461 627461 ff 01 636b6579 80 ff", &Row { key: vec![], data: Some(1) });
    reads("bf 6450616972 82 01 02 ff", &Command::Pair(1, 2));
    reads("7f 6450696e67 ff", &Command::Ping);
    reads("a1 6450696e67 f6", &Command::Ping);
    refuses::<Command>("bf 6450616972 82 01 02 6450696e67 f6 ff");
    refuses::<Command>("a1 6450696e67 00");
    refuses::<Command>("6454657874");
}

// P-25
#[test]
fn lengths_are_definite_even_if_serde_does_not_know_them() {
    #[derive(Serialize)]
    struct Open {
        id: u8,
        #[serde(flatten)]
        more: BTreeMap<String, u8>,
    }
    let more = BTreeMap::from([("a".to_owned(), 1)]);

    let datagram = encode(&Cbor::<(), Open>::new(), &Open { id: 159, more });

    assert_eq!(datagram, hex("a2 626964 189f 6161 01"));
}

// P-7
#[test]
fn other_lengths_than_a_type_declares_are_an_encode_error() {
    struct Three(usize);

    impl Serialize for Three {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;

            let mut list = serializer.serialize_seq(Some(self.0))?;
            for number in 0..3 {
                list.serialize_element(&number)?;
            }
            list.end()
        }
    }

    assert_eq!(cbor_of(&Three(3)), hex("83000102"));
    for declared in [2, 4] {
        let error = Cbor::<(), Three>::new().encode(&Three(declared), &mut vec![]).unwrap_err();

        assert!(error.source().is_some());
    }
}

// P-25
#[test]
fn an_enum_is_its_variants_name_or_a_map_of_it() {
    let add = Command::Add { a: 7, b: 300 };

    assert_eq!(cbor_of(&Command::Ping), hex("6450696e67"));
    assert_eq!(cbor_of(&add), hex("a1 63416464 a2 6161 07 6162 19012c"));
    for command in [Command::Ping, add, Command::Pair(1, 2), Command::Text("é".to_owned())] {
        assert_eq!(Cbor::<Command>::new().decode(&cbor_of(&command)).unwrap(), command);
    }
}

#[test]
fn tags_that_the_type_does_not_ask_for_and_unknown_fields_are_skipped() {
    reads("d9d9f7 a1 6464617461 c1 182a", &BTreeMap::from([("data".to_owned(), 42)]));
    reads(
        "a3 6161 c1 f93e00 636b6579 80 6162 82 c2 41ff 5f4100ff",
        &Row { key: vec![], data: None },
    );
}

#[test]
fn a_type_of_any_shape_sees_tagged_values_without_their_tag() {
    let read: serde_json::Value =
        Cbor::<_, ()>::new().decode(&hex("a1 6161 82 c1 182a d82a 6162")).unwrap();

    assert_eq!(read, serde_json::json!({"a": [42, "b"]}));
}

#[test]
fn tags_are_read_and_written_if_a_type_asks_for_them() {
    use ciborium::tag::{Accepted, Captured, Required};

    reads("82 c1 182a 07", &(Required::<u8, 1>(42), 7));
    reads("d9d9f7 01", &Captured(Some(55_799), 1));
    reads("01", &Captured(None, 1));
    reads("81 01", &[Accepted::<u8, 1>(1)]);
    assert_eq!(cbor_of(&Required::<u8, 1>(42)), hex("c1182a"));
    assert_eq!(cbor_of(&Captured(Some(55_799), 1)), hex("d9d9f701"));
    assert_eq!(cbor_of(&[Captured(None, 1)]), hex("8101"));
    refuses::<Required<u8, 1>>("c2182a");
    refuses::<Required<u8, 1>>("182a");
    refuses::<Required<u8, 1>>("c1");
}

#[test]
fn text_of_any_length_and_form_is_read_for_every_request_of_a_type() {
    #[derive(Debug, PartialEq)]
    struct Asks(String);

    impl<'de> Deserialize<'de> for Asks {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;

            impl serde::de::Visitor<'_> for Visitor {
                type Value = Asks;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("text")
                }

                fn visit_str<E>(self, text: &str) -> Result<Asks, E> {
                    Ok(Asks(text.to_owned()))
                }
            }

            deserializer.deserialize_str(Visitor)
        }
    }
    let long = "é".repeat(30_000);

    let read = Cbor::<Asks, ()>::new().decode(&cbor_of(&long)).unwrap();

    assert_eq!(read, Asks(long.clone()));
    assert_eq!(Cbor::<String>::new().decode(&cbor_of(&long)).unwrap(), long);
    reads("7f 6161 6162 ff", &Asks("ab".to_owned()));
}

// P-2
#[test]
fn trailing_bytes_are_refused() {
    let cbor: Cbor<Row> = Cbor::new();

    for byte in 0..=u8::MAX {
        let datagram = [hex("a2636b6579830102036464617461f6"), vec![byte]].concat();

        let error = cbor.decode(&datagram).unwrap_err();

        assert_eq!(error.to_string(), "trailing bytes after the packet");
        assert_eq!(error.source().unwrap().to_string(), "1 byte");
    }
}

// P-3
#[test]
fn a_datagram_that_is_cut_anywhere_is_refused() {
    for datagram in ["a2636b6579830102036464617461f6", "9f01fb3ff80000000000007f6161ff5f4100ffff"] {
        let datagram = hex(datagram);
        assert!(Cbor::<IgnoredAny, ()>::new().decode(&datagram).is_ok());

        for len in 0..datagram.len() {
            assert!(
                Cbor::<IgnoredAny, ()>::new().decode(&datagram[..len]).is_err(),
                "cut to {len}"
            );
            assert!(Cbor::<Row>::new().decode(&datagram[..len]).is_err(), "cut to {len}");
        }
    }
}

// P-2: the elements that a tuple leaves of an array are not read as the value after the tuple.
#[test]
fn an_array_longer_than_its_type_is_refused() {
    refuses::<((u8, u8), u8)>("82 83010203");
    refuses::<(u8, u8)>("83010203");
    refuses::<(u8, u8)>("9f010203ff");
    refuses::<[u8; 2]>("43010203");
    refuses::<Command>("a1 6450616972 83010203");
}

#[test]
fn invalid_cbor_and_values_of_another_type_are_refused() {
    for datagram in [
        "",
        "ff",
        "1c",
        "3d",
        "5e",
        "fc",
        "f8",
        "62c328",
        "62ff",
        "7f4100ff",
        "7f7f6161ff",
        "9fff00",
        "bf00ff",
        "c1",
        "c1ff",
        "81ff",
        "a100ff",
        "9bffffffffffffffff",
        "bb8000000000000000",
        "7bffffffffffffffff",
    ] {
        refuses::<IgnoredAny>(datagram);
        refuses::<String>(datagram);
    }
    refuses::<String>("f820");
    refuses::<String>("e0");
    refuses::<u8>("190100");
    refuses::<u64>("20");
    refuses::<String>("4161");
    refuses::<Row>("a3 6464617461 01 6464617461 01 636b6579 80");
    refuses::<Command>("64 50696e68");
    refuses::<u128>("c251010000000000000000000000000000000000");
}

// P-25, P-5
#[test]
fn nesting_of_100_is_read_and_more_is_refused() {
    on_small_stack(|| {
        let lists = |depth| [vec![0x81; depth - 1], vec![0x80]].concat();
        let maps = |depth| [hex("a100").repeat(depth), vec![0]].concat();

        assert!(Cbor::<Tree, ()>::new().decode(&lists(100)).is_ok());
        assert!(Cbor::<IgnoredAny, ()>::new().decode(&lists(100)).is_ok());
        assert!(Cbor::<IgnoredAny, ()>::new().decode(&maps(100)).is_ok());
        for depth in [101, 65_000, 100_000] {
            assert!(Cbor::<Tree, ()>::new().decode(&lists(depth)).is_err());
            assert!(Cbor::<IgnoredAny, ()>::new().decode(&lists(depth)).is_err());
            assert!(Cbor::<IgnoredAny, ()>::new().decode(&maps(depth)).is_err());
        }
    });
}

#[test]
fn the_nesting_limit_can_be_set() {
    let cbor = Cbor::<Tree, ()>::new().nesting_limit(2);

    assert!(cbor.decode(&hex("8180")).is_ok());
    assert!(cbor.decode(&hex("818180")).is_err());
    assert!(
        Cbor::<Tree, ()>::new()
            .nesting_limit(500)
            .decode(&[[0x81; 400], [0x80; 400]].concat()[..401])
            .is_ok()
    );
}

// P-1
#[test]
fn cbor_is_appended() {
    let mut datagram = b"before|".to_vec();

    Cbor::<u8>::new().encode(&1, &mut datagram).unwrap();
    Cbor::<u8>::new().encode(&159, &mut datagram).unwrap();

    assert_eq!(datagram, b"before|\x01\x18\x9f");
}

fn cbor_of<T: Serialize>(packet: &T) -> Vec<u8> {
    encode(&Cbor::<(), &T>::new(), &packet)
}

#[track_caller]
fn reads<T: std::fmt::Debug + DeserializeOwned + PartialEq>(datagram: &str, packet: &T) {
    assert_eq!(Cbor::<T, ()>::new().decode(&hex(datagram)).unwrap(), *packet);
}

#[track_caller]
fn refuses<T: DeserializeOwned>(datagram: &str) {
    assert!(!decodes::<T>(datagram), "{datagram}");
}

fn decodes<T: DeserializeOwned>(datagram: &str) -> bool {
    Cbor::<T, ()>::new().decode(&hex(datagram)).is_ok()
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Tree(Vec<Self>);
