//! The fixed layout: bytes, text fields, sizes and refused types.

use std::{error::Error, net::Ipv4Addr, rc::Rc, time::Duration};

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Fixed, FixedText};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{encode, hex};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Move {
    id: i32,
    port: u16,
    time: u64,
    jumps: bool,
    name: FixedText<10>,
    speed: f64,
}

impl Move {
    fn example() -> Self {
        Self { id: -1, port: 2, time: 3, jumps: true, name: "abc".into(), speed: 1.5 }
    }
}

const MOVE: &str = "ffffffff 0002 0000000000000003 01 61626300000000000000 3ff8000000000000";

// P-29 w8, P-17
#[test]
fn fields_are_in_network_order_without_padding() {
    let fixed: Fixed<Move> = Fixed::new();

    assert_eq!(encode(&fixed, &Move::example()), hex(MOVE));
    assert_eq!(fixed.decode(&hex(MOVE)).unwrap(), Move::example());
}

// P-29 w9
#[test]
fn a_tuple_is_laid_out_as_a_struct() {
    let fixed: Fixed<(FixedText<10>, u32)> = Fixed::new();
    let packet = ("John".into(), 20);

    assert_eq!(encode(&fixed, &packet), hex("4a6f686e000000000000 00000014"));
    assert_eq!(fixed.decode(&encode(&fixed, &packet)).unwrap(), packet);
}

// P-17
#[test]
fn numbers_are_little_endian_if_asked_for() {
    let fixed: Fixed<Move> = Fixed::new().little_endian();
    let bytes = hex("ffffffff 0200 0300000000000000 01 61626300000000000000 000000000000f83f");

    assert_eq!(encode(&fixed, &Move::example()), bytes);
    assert_eq!(fixed.decode(&bytes).unwrap(), Move::example());
}

// P-17, P-2, P-3
#[test]
fn a_datagram_of_another_size_is_refused() {
    let fixed: Fixed<Move> = Fixed::new();
    let bytes = hex(MOVE);
    let longer = [&bytes[..], &[0]].concat();

    for len in 0..bytes.len() {
        let error = fixed.decode(&bytes[..len]).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.to_string(), "invalid fixed layout for the packet type");
        assert_eq!(error.source().unwrap().to_string(), "unexpected end of datagram");
    }
    for (datagram, left) in [(&longer[..], "1 byte"), (&[1; 65_507], "65474 bytes")] {
        let error = fixed.decode(datagram).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.to_string(), "trailing bytes after the packet");
        assert_eq!(error.source().unwrap().to_string(), left);
    }
}

// P-17
#[test]
fn any_byte_but_zero_is_true() {
    let fixed: Fixed<bool> = Fixed::new();

    assert_eq!((encode(&fixed, &false), encode(&fixed, &true)), (vec![0], vec![1]));
    for byte in 0..=u8::MAX {
        assert_eq!(fixed.decode(&[byte]).unwrap(), byte != 0);
    }
}

// P-4
#[test]
fn every_type_of_fixed_size_comes_back() {
    comes_back(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN), 31);
    comes_back(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX), 31);
    comes_back(&(f32::MIN_POSITIVE, -0.0_f32, f64::MAX, f64::NEG_INFINITY), 24);
    comes_back(&[[1_u16, 2], [3, 4]], 8);
    comes_back(&[7_u8; 32], 32);
    comes_back(&[[7_u8; 32]; 2], 64);
    comes_back(&(Empty, (), Wrapped(3), std::marker::PhantomData::<u8>), 4);
    comes_back(&Box::new((Ipv4Addr::LOCALHOST, Duration::MAX)), 16);
    comes_back(&(), 0);
    comes_back(&[0_u64; 0], 0);
}

// P-18
#[test]
fn a_text_field_may_be_full() {
    let fixed: Fixed<FixedText<5>> = Fixed::new();

    for text in ["", "a", "€é", "abcde", "a\0b"] {
        let datagram = encode(&fixed, &text.into());

        assert_eq!(datagram.len(), 5);
        assert_eq!(fixed.decode(&datagram).unwrap(), text);
    }
    assert_eq!(fixed.decode(b"ab\0\0\0").unwrap().len(), 2);
    assert_eq!(fixed.decode(b"\0\0\0\0c").unwrap(), "\0\0\0\0c");
}

// P-18
#[test]
fn text_longer_than_its_field_is_an_encode_error() {
    let fixed: Fixed<FixedText<5>> = Fixed::new();

    for (text, len) in [("abcdef", 6), ("€é1", 6), ("abcde\0", 6), ("abcdefgh", 8)] {
        let error = fixed.encode(&text.into(), &mut Vec::new()).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.to_string(), "a fixed layout cannot express the packet");
        let source = error.source().unwrap().to_string();
        assert_eq!(source, format!("text is {len} bytes, limit is 5"));
    }
}

// P-18
#[test]
fn text_that_ends_with_nul_is_an_encode_error() {
    let fixed: Fixed<FixedText<4>> = Fixed::new();

    for text in ["abc\0", "\0", "a\0\0"] {
        let mut datagram = b"before".to_vec();
        let error = fixed.encode(&text.into(), &mut datagram).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "text ends with NUL");
    }
    assert_eq!(fixed.decode(b"a\0b\0").unwrap(), "a\0b");
}

// P-18
#[test]
fn text_that_is_not_utf8_is_a_decode_error() {
    let fixed: Fixed<FixedText<5>> = Fixed::new();

    for datagram in [b"\xff\0\0\0\0", b"abcd\xc3", b"a\0\xe9\0\0"] {
        let error = fixed.decode(datagram).unwrap_err();

        assert_eq!(error.to_string(), "invalid fixed layout for the packet type");
        assert!(error.source().is_some());
    }
}

#[test]
fn a_text_field_is_text() {
    let mut text: FixedText<10> = "héllo".to_owned().into();

    assert_eq!(text.to_uppercase(), "HÉLLO");
    assert_eq!(format!("{text} {text:?}"), r#"héllo "héllo""#);
    assert_eq!(String::from(std::mem::take(&mut text)), "héllo");
    assert_eq!(text, *"");
}

#[cfg(feature = "json")]
#[test]
fn a_text_field_is_text_in_json_too() {
    let json: datagrammar_protocols::Json<FixedText<3>> = datagrammar_protocols::Json::new();

    assert_eq!(encode(&json, &"abc".into()), br#""abc""#);
    assert_eq!(json.decode(br#""abc""#).unwrap(), "abc");
    assert!(json.decode(br#""abcd""#).is_err());
}

#[cfg(feature = "bincode")]
#[test]
fn a_text_field_has_its_size_in_bincode_too() {
    let bincode: datagrammar_protocols::Bincode<FixedText<3>> =
        datagrammar_protocols::Bincode::new();

    assert_eq!(encode(&bincode, &"a".into()), b"a\0\0");
    assert_eq!(bincode.decode(b"a\0\0").unwrap(), "a");
}

#[cfg(all(feature = "cbor", feature = "msgpack", feature = "postcard"))]
#[test]
fn a_text_field_is_an_array_of_bytes_of_one_level_in_other_binary_formats() {
    use datagrammar_protocols::{Cbor, Msgpack, Postcard};

    fn is_array(codec: impl DatagramProtocol<Incoming = Text, Outgoing = Text>, datagram: &[u8]) {
        assert_eq!(encode(&codec, &"a".into()), datagram);
        assert_eq!(codec.decode(datagram).unwrap(), "a");
    }
    type Text = FixedText<3>;

    is_array(Cbor::<Text>::new().nesting_limit(1), b"\x83\x18\x61\0\0");
    is_array(Msgpack::<Text>::new().nesting_limit(1), b"\x93a\0\0");
    is_array(Postcard::<Text>::new().nesting_limit(1), b"a\0\0");
    assert!(Cbor::<Text>::new().decode(b"\x43a\0\0").is_ok()); // a byte string
    assert!(Cbor::<Text>::new().decode(b"\x42a\0").is_err());
}

// P-7
#[test]
fn a_type_without_a_size_of_its_own_is_an_error_both_ways() {
    refuses(&vec![1_u8]);
    refuses(&"text".to_owned());
    refuses(&'c');
    refuses(&Some(1_u8));
    refuses(&None::<u8>);
    refuses(&std::collections::BTreeMap::from([(1_u8, 2_u8)]));
    refuses(&c"bytes".to_owned());
    for packet in [Enum::Unit, Enum::Newtype(1), Enum::Tuple(1, 2), Enum::Struct { a: 1 }] {
        refuses(&packet);
    }
    refuses(&Flattened { id: 1, wrapped: Named { a: 2 } });
    refuses(&Tagged::A { a: 1 });
}

// P-7
#[test]
fn what_would_only_be_written_is_an_error_too() {
    let untagged: Fixed<Untagged> = Fixed::new();
    let skipping: Fixed<(), Skipping> = Fixed::new();

    assert!(untagged.decode(&encode(&untagged, &Untagged::A(1))).is_err());
    assert!(skipping.encode(&Skipping { id: 1 }, &mut Vec::new()).is_ok());
    assert!(skipping.encode(&Skipping { id: 0 }, &mut Vec::new()).is_err());
}

#[test]
fn names_of_fields_and_their_aliases_change_nothing() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Aliased {
        #[serde(alias = "first", alias = "begin", rename = "start")]
        a: u8,
        #[serde(skip)]
        unsent: u64,
        b: u8,
    }

    comes_back(&Aliased { a: 1, unsent: 0, b: 2 }, 2);
}

#[test]
fn what_a_type_refuses_is_a_decode_error() {
    let fixed: Fixed<std::num::NonZeroU16> = Fixed::new();

    assert_eq!(fixed.decode(&[1, 0]).unwrap().get(), 256);
    assert!(fixed.decode(&[0, 0]).unwrap_err().source().is_some());
}

// P-5
#[test]
fn any_bytes_are_refused_or_are_the_packet_they_stand_for() {
    let fixed: Fixed<Move> = Fixed::new();
    let mut random = fastrand::Rng::with_seed(17);
    let mut accepted = 0;

    for _ in 0..20_000 {
        let mut datagram = vec![0; random.usize(32..=34)];
        datagram.fill_with(|| random.u8(..128));

        if let Ok(packet) = fixed.decode(&datagram) {
            datagram[14] = packet.jumps.into(); // the byte of which any value but 0 is true
            assert_eq!(encode(&fixed, &packet), datagram);
            accepted += 1;
        }
    }
    assert!(accepted > 5_000, "only {accepted} datagrams were packets");
}

// P-5: an endless type takes a byte per level, or none.
#[test]
fn a_type_that_contains_itself_without_end_is_an_ordinary_error() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Newtype(Box<Self>);

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Chain {
        byte: u8,
        next: Box<Self>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Wide([Box<Self>; 32]);

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Pair(Box<(Self, Self)>, u64);

    crate::on_small_stack(|| {
        for datagram in [&[1; 65_507][..], &[]] {
            assert!(Fixed::<Newtype, ()>::new().decode(datagram).is_err());
            assert!(Fixed::<Chain, ()>::new().decode(datagram).is_err());
            assert!(Fixed::<Wide, ()>::new().decode(datagram).is_err());
            assert!(Fixed::<Pair, ()>::new().decode(datagram).is_err());
        }
    });
}

#[test]
fn neighbours_do_not_add_up_to_levels() {
    comes_back(&[[Wrapped(1); 16]; 16], 1024);
}

// P-1
#[test]
fn fields_are_appended() {
    let mut datagram = b"before|".to_vec();

    Fixed::<u16>::new().encode(&0x6162, &mut datagram).unwrap();
    Fixed::<u16>::new().little_endian().encode(&0x6162, &mut datagram).unwrap();

    assert_eq!(datagram, b"before|abba");
}

#[test]
fn the_codec_can_cross_threads_whatever_its_packets_are() {
    fn is_plain<T: Send + Sync + Copy + std::fmt::Debug + Default>() {}

    is_plain::<Fixed<Rc<u8>>>();
}

#[track_caller]
fn comes_back<T: std::fmt::Debug + DeserializeOwned + PartialEq + Serialize>(
    packet: &T,
    bytes: usize,
) {
    for fixed in [Fixed::<T>::new(), Fixed::new().little_endian()] {
        let datagram = encode(&fixed, packet);

        assert_eq!(datagram.len(), bytes);
        assert_eq!(&fixed.decode(&datagram).unwrap(), packet);
    }
}

#[track_caller]
fn refuses<T: std::fmt::Debug + DeserializeOwned + Serialize>(packet: &T) {
    let fixed: Fixed<T> = Fixed::new();

    let encoding = fixed.encode(packet, &mut Vec::new()).unwrap_err();
    let decoding = fixed.decode(&[1; 64]).unwrap_err();

    assert_eq!((encoding.kind(), decoding.kind()), (ErrorKind::Codec, ErrorKind::Codec));
    for source in [encoding.source(), decoding.source()] {
        let source = source.unwrap().to_string();
        assert!(source.ends_with(" has no fixed size"), "{source}");
    }
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Empty;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Wrapped(i32);

#[derive(Debug, Deserialize, Serialize)]
enum Enum {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Struct { a: u8 },
}

#[derive(Debug, Deserialize, Serialize)]
struct Named {
    a: u8,
}

#[derive(Debug, Deserialize, Serialize)]
struct Flattened {
    id: u8,
    #[serde(flatten)]
    wrapped: Named,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { a: u8 },
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Untagged {
    A(u8),
}

#[derive(Serialize)]
struct Skipping {
    #[serde(skip_serializing_if = "is_zero")]
    id: u8,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}
