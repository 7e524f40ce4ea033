//! MessagePack: the bytes of structs, enums and values, and the datagrams that are refused.

mod extensions;
mod names;
mod numbers;
mod senders;
mod unknown;

use std::{collections::BTreeMap, error::Error, ffi::CString};

use datagrammar_protocols::{DatagramProtocol, Msgpack};
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

// P-29 w23, P-25
#[test]
fn a_struct_is_a_map_of_names() {
    let msgpack: Msgpack<Row> = Msgpack::new();
    let packet = Row { key: vec![1, 2, 3], data: None };

    let datagram = encode(&msgpack, &packet);

    assert_eq!(datagram, hex("82a36b657993010203a464617461c0"));
    assert_eq!(msgpack.decode(&datagram).unwrap(), packet);
}

// P-4
#[test]
fn nan_keeps_its_bits() {
    let read = Msgpack::<f32, ()>::new().decode(&hex("ca7f800001")).unwrap();

    assert_eq!(read.to_bits(), 0x7f80_0001);
}

// P-29 w24
#[test]
fn floats_bytes_and_text_have_the_bytes_of_the_format() {
    assert_eq!(msgpack_of(&1.5_f64), hex("cb3ff8000000000000"));
    assert_eq!(msgpack_of(&1.5_f32), hex("ca3fc00000"));
    assert_eq!(msgpack_of(&c"\x01\x02"), hex("c4020102"));
    assert_eq!(msgpack_of(&"a".repeat(31))[..2], hex("bf61"));
    assert_eq!(msgpack_of(&"a".repeat(32))[..3], hex("d92061"));
}

// P-25
#[test]
fn integers_take_the_shortest_form() {
    let unsigned = [0, 127, 128, 256, 65_536, 1 << 32].map(|n| msgpack_of::<u64>(&n));
    let signed = [-1, -32, -33, -129, -32_769, i64::MIN, 128].map(|n| msgpack_of::<i64>(&n));

    let expected = ["00", "7f", "cc80", "cd0100", "ce00010000", "cf0000000100000000"];
    assert_eq!(unsigned, expected.map(hex));
    let expected =
        ["ff", "e0", "d0df", "d1ff7f", "d2ffff7fff", "d38000000000000000", "cc80"].map(hex);
    assert_eq!(signed, expected);
}

// P-25
#[test]
fn an_enum_is_its_variants_name_or_a_map_of_it() {
    let add = Command::Add { a: 7, b: 300 };

    assert_eq!(msgpack_of(&Command::Ping), hex("a450696e67"));
    assert_eq!(msgpack_of(&add), hex("81 a3416464 82 a161 07 a162 cd012c"));
    for command in [Command::Ping, add, Command::Pair(1, 2), Command::Text("é".to_owned())] {
        assert_eq!(Msgpack::<Command>::new().decode(&msgpack_of(&command)).unwrap(), command);
    }
}

#[test]
fn encodings_of_other_languages_are_read() {
    reads("92 9101 c0", &Row { key: vec![1], data: None });
    reads("83 a178 d60100000000 a36b6579 90 a179 c7020a0000", &Row { key: vec![], data: None });
    reads("cf0000000000000001", &1_u8);
    reads("d3ffffffffffffffff", &-1_i8);
    reads("02", &2.0_f64);
    reads("ca3fc00000", &1.5_f64);
    reads("dd00000001 dc0001 01", &vec![vec![1]]);
    reads("df00000001 db00000001 61 01", &BTreeMap::from([("a".to_owned(), 1)]));
}

#[test]
fn integers_of_128_bits_are_bytes() {
    assert_eq!(msgpack_of(&-1_i128), [hex("c410"), vec![0xff; 16]].concat());
    reads(&format!("c410{:032x}", u128::MAX - 1), &(u128::MAX - 1));
    reads("07", &7_u128);
    reads("ff", &-1_i128);
    refuses::<u128>("ff");
    refuses::<u128>("c40101");
    refuses::<u64>(&format!("c410{:032x}", 1));
}

#[test]
fn a_unit_struct_is_an_empty_array_and_read_as_nil_too() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Marker;

    assert_eq!(msgpack_of(&Marker), hex("90"));
    reads("90", &Marker);
    reads("c0", &Marker);
    refuses::<Marker>("91c0");
}

// Old versions of the format had one type for text and bytes, and Lua libraries still write that type.
#[test]
fn text_is_read_if_bytes_are_expected() {
    reads("a26869", &c"hi".to_owned());
    reads("a2fffe", &c"\xff\xfe".to_owned());
    reads("82 a36b6579 90 a162 a2fffe", &Row { key: vec![], data: None });
    refuses::<String>("a2fffe");
}

// rmp-serde reads it in the same way, and Python sends it for `{b"a": 1}`.
#[test]
fn binary_is_read_if_text_is_expected_and_it_is_utf_8() {
    reads("c4026869", &"hi".to_owned());
    reads("c400", &String::new());
    reads("c50002c3a9", &"é".to_owned());
    reads("c600000001 61", &"a".to_owned());
    reads("81 c40161 01", &BTreeMap::from([("a".to_owned(), 1)]));
    refuses::<String>("c402fffe");
    refuses::<String>("c403eda080"); // a lone surrogate
    refuses::<String>("c40268");
    refuses::<String>("d40168");
    refuses::<char>("c40168");
}

#[test]
fn extensions_are_read_and_written_if_a_type_asks_for_them() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension((i8, CString));
    #[derive(Deserialize)]
    #[serde(rename = "_ExtStruct")]
    #[expect(dead_code)]
    struct OnlyKind((i8,));
    let extension = |bytes: usize| Extension((-1, CString::new(vec![b'a'; bytes]).unwrap()));

    for (bytes, head) in
        [(0, "c700ff"), (1, "d4ff"), (3, "c703ff"), (4, "d6ff"), (16, "d8ff"), (300, "c8012cff")]
    {
        let datagram = msgpack_of(&extension(bytes));

        assert_eq!(datagram, [hex(head), vec![b'a'; bytes]].concat());
        assert_eq!(Msgpack::<_, ()>::new().decode(&datagram).ok(), Some(extension(bytes)));
    }
    reads("92 d401ab 2a", &(Extension((1, CString::new([0xab]).unwrap())), 42));
    refuses::<Extension>("92 ff a161");
    refuses::<Extension>("c705ff61");
    refuses::<Vec<u8>>("d4ff61");
    refuses::<OnlyKind>("d4ff61");
    refuses::<serde_json::Value>("d4ff61");
}

#[test]
fn an_invalid_extension_is_an_encode_error() {
    #[derive(Serialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension<T>(T);
    fn fails<T: Serialize>(value: T) {
        let packet = Extension(value);

        assert!(Msgpack::<(), _>::new().encode(&packet, &mut Vec::new()).is_err());
    }

    fails(7);
    fails((7, 7));
    fails((1_000, c"abc"));
    fails((7, c"abc", 7));
}

// P-2
#[test]
fn trailing_bytes_are_refused() {
    let msgpack: Msgpack<Row> = Msgpack::new();

    for byte in 0..=u8::MAX {
        let datagram = [hex("82a36b657993010203a464617461c0"), vec![byte]].concat();

        let error = msgpack.decode(&datagram).unwrap_err();

        assert_eq!(error.to_string(), "trailing bytes after the packet");
        assert_eq!(error.source().unwrap().to_string(), "1 byte");
    }
}

// P-3
#[test]
fn a_datagram_that_is_cut_anywhere_is_refused() {
    for datagram in ["82a36b657993010203a464617461c0", "93cb3ff8000000000000c4020102d6ff00000000"] {
        let datagram = hex(datagram);
        assert!(Msgpack::<IgnoredAny, ()>::new().decode(&datagram).is_ok());

        for len in 0..datagram.len() {
            assert!(Msgpack::<IgnoredAny, ()>::new().decode(&datagram[..len]).is_err());
            assert!(Msgpack::<Row>::new().decode(&datagram[..len]).is_err(), "cut to {len}");
        }
    }
}

// P-2: the elements that a tuple leaves of an array or of binary are not dropped silently.
#[test]
fn an_array_longer_than_its_type_is_refused() {
    refuses::<((u8, u8), u8)>("92 93010203");
    refuses::<(u8, u8)>("93010203");
    refuses::<[u8; 2]>("c403010203");
    refuses::<Command>("81 a450616972 93010203");
}

#[test]
fn invalid_messagepack_and_values_of_another_type_are_refused() {
    for datagram in ["", "c1", "91c1", "a2c328", "a2", "92", "81a161"] {
        refuses::<String>(datagram);
        refuses::<Vec<String>>(datagram);
        refuses::<Row>(datagram);
    }
    refuses::<u8>("cd0100");
    refuses::<u64>("ff");
    refuses::<Row>("83 a464617461 01 a464617461 01 a36b6579 90");
    refuses::<Command>("a450696e68");
    refuses::<Command>("82 a450696e67 c0 a450696e67 c0");
}

// P-25, P-5
#[test]
fn nesting_of_100_is_read_and_more_is_refused() {
    on_small_stack(|| {
        let lists = |depth| [vec![0x91; depth - 1], vec![0x90]].concat();
        let maps = |depth| [hex("8100").repeat(depth), vec![0]].concat();

        assert!(Msgpack::<Tree, ()>::new().decode(&lists(100)).is_ok());
        assert!(Msgpack::<IgnoredAny, ()>::new().decode(&lists(100)).is_ok());
        assert!(Msgpack::<IgnoredAny, ()>::new().decode(&maps(100)).is_ok());
        for depth in [101, 65_000, 100_000] {
            assert!(Msgpack::<Tree, ()>::new().decode(&lists(depth)).is_err());
            assert!(Msgpack::<IgnoredAny, ()>::new().decode(&lists(depth)).is_err());
            assert!(Msgpack::<IgnoredAny, ()>::new().decode(&maps(depth)).is_err());
        }
    });
}

#[test]
fn the_nesting_limit_can_be_set() {
    let msgpack = Msgpack::<Tree, ()>::new().nesting_limit(2);

    assert!(msgpack.decode(&hex("9190")).is_ok());
    assert!(msgpack.decode(&hex("919190")).is_err());
}

// P-5
#[test]
fn variants_in_variants_are_levels() {
    #[derive(Debug, Deserialize)]
    enum List {
        Nil,
        Cons(#[expect(dead_code)] Box<Self>),
    }
    let list = |len| [hex("81a4436f6e73").repeat(len), hex("a34e696c")].concat();

    assert!(matches!(Msgpack::<List, ()>::new().decode(&list(0)), Ok(List::Nil)));
    assert!(Msgpack::<List, ()>::new().decode(&list(100)).is_ok());
    assert!(Msgpack::<List, ()>::new().decode(&list(101)).is_err());
}

fn msgpack_of<T: Serialize>(packet: &T) -> Vec<u8> {
    encode(&Msgpack::<(), &T>::new(), &packet)
}

#[track_caller]
fn reads<T: std::fmt::Debug + DeserializeOwned + PartialEq>(datagram: &str, packet: &T) {
    assert_eq!(Msgpack::<T, ()>::new().decode(&hex(datagram)).unwrap(), *packet);
}

#[track_caller]
fn refuses<T: DeserializeOwned>(datagram: &str) {
    assert!(Msgpack::<T, ()>::new().decode(&hex(datagram)).is_err(), "{datagram}");
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Tree(Vec<Self>);
