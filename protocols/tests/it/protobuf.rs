//! Protocol Buffers: the bytes of the format, unknown fields, and the datagrams that are refused.

use std::{collections::HashMap, error::Error};

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Protobuf};
use prost::Message;

use crate::{encode, hex, on_small_stack};

/// The messages of https://protobuf.dev/programming-guides/encoding/ as one message.
#[derive(Clone, PartialEq, Message)]
struct Example {
    #[prost(int32, optional, tag = "1")]
    number: Option<i32>,
    #[prost(string, optional, tag = "2")]
    text: Option<String>,
    #[prost(message, optional, boxed, tag = "3")]
    inner: Option<Box<Self>>,
    #[prost(string, repeated, tag = "4")]
    texts: Vec<String>,
    #[prost(int32, repeated, tag = "6")]
    packed: Vec<i32>,
    #[prost(map = "string, int32", tag = "7")]
    map: HashMap<String, i32>,
    #[prost(double, optional, tag = "8")]
    float: Option<f64>,
    #[prost(bytes = "vec", tag = "9")]
    bytes: Vec<u8>,
    #[prost(message, repeated, tag = "10")]
    many: Vec<Self>,
}

const EXAMPLE: Protobuf<Example> = Protobuf::new();

// P-29: the bytes from the documentation of the format.
#[test]
fn a_message_has_the_bytes_of_the_format() {
    let number = Example { number: Some(150), ..Default::default() };
    let bytes = [
        ("08 96 01", number.clone()),
        ("12 07 74657374696e67", Example { text: Some("testing".into()), ..Default::default() }),
        ("1a 03 08 96 01", Example { inner: Some(Box::new(number)), ..Default::default() }),
        (
            "22 05 68656c6c6f 22 05 776f726c64",
            Example { texts: vec!["hello".into(), "world".into()], ..Default::default() },
        ),
        ("32 06 03 8e 02 9e a7 05", Example { packed: vec![3, 270, 86_942], ..Default::default() }),
        ("3a 05 0a 01 61 10 01", Example { map: [("a".into(), 1)].into(), ..Default::default() }),
        ("41 000000000000f83f", Example { float: Some(1.5), ..Default::default() }),
        ("", Example::default()),
    ];

    for (bytes, packet) in bytes {
        assert_eq!(encode(&EXAMPLE, &packet), hex(bytes));
        assert_eq!(EXAMPLE.decode(&hex(bytes)).unwrap(), packet);
    }
}

// P-4
#[test]
fn packets_come_back() {
    for number in [i32::MIN, -1, 0, 1, i32::MAX] {
        for text in ["", "é€😀", "\\", "\0"] {
            for float in [-0.0, 5e-324, f64::MAX, f64::NEG_INFINITY] {
                let packet = Example {
                    number: Some(number),
                    text: Some(text.to_owned()),
                    float: Some(float),
                    bytes: vec![0, 0xff],
                    many: vec![Example::default(); 2],
                    ..Default::default()
                };

                assert_eq!(EXAMPLE.decode(&encode(&EXAMPLE, &packet)).unwrap(), packet);
            }
        }
    }
}

#[test]
fn unknown_fields_are_skipped_and_the_last_of_two_fields_counts() {
    let unknown = hex("08 96 01  f8 01 2a  7a 02 6869  5b 08 01 5c");
    let twice = hex("08 01 08 02");

    assert_eq!(EXAMPLE.decode(&unknown).unwrap().number, Some(150));
    assert_eq!(EXAMPLE.decode(&twice).unwrap().number, Some(2));
}

// Here prost differs from the parsers of protoc.
#[test]
fn required_fields_may_be_missing_and_known_ones_of_another_wire_type_are_refused() {
    #[derive(PartialEq, Message)]
    struct Required {
        #[prost(int32, required, tag = "1")]
        number: i32,
        #[prost(int32, required, tag = "2")]
        other: i32,
    }
    let protobuf: Protobuf<Required> = Protobuf::new();

    assert_eq!(protobuf.decode(&hex("08 07")).unwrap(), Required { number: 7, other: 0 });
    assert_eq!(protobuf.decode(b"").unwrap(), Required { number: 0, other: 0 });
    assert!(protobuf.decode(&hex("0d 01020304")).is_err());
}

// P-7
#[test]
fn bytes_that_are_not_a_message_are_refused() {
    let hostile = [
        "08",                        // a field without a value
        "08 96",                     // a number without an end
        "08 ffffffffffffffffffffff", // a number beyond 64 bits
        "00 01",                     // field 0
        "0d 00000000",               // another type than that of the field
        "0f",                        // a wire type that does not exist
        "12 05 6869",                // text that is cut
        "12 01 ff",                  // not UTF-8
        "12 ffffffffffffffff7f",     // a length of 2^63 - 1
        "1a 01 08 96 01",            // a field beyond its message
        "0c",                        // the end of a group without a beginning
        "7b 08 01",                  // a group without an end
        "7b 08 01 74",               // a group with another end
    ];

    for bytes in hostile {
        let error = EXAMPLE.decode(&hex(bytes)).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec, "{bytes}");
        assert_eq!(error.to_string(), "invalid protobuf message");
        assert!(error.source().is_some());
    }
}

// P-5
#[test]
fn endless_nesting_is_an_ordinary_error() {
    on_small_stack(|| {
        let groups = vec![0x7b; 65_507];
        let mut messages = Vec::new();
        while messages.len() < 65_000 {
            let mut outer = vec![0x1a];
            prost::encode_length_delimiter(messages.len(), &mut outer).unwrap();
            messages.splice(0..0, outer);
        }

        assert!(EXAMPLE.decode(&groups).is_err());
        assert!(EXAMPLE.decode(&messages).is_err());
    });
}

#[test]
fn a_hundred_levels_of_messages_are_read() {
    let nested = |levels| {
        (0..levels).fold(Example::default(), |inner, _| Example {
            inner: Some(Box::new(inner)),
            ..Default::default()
        })
    };

    on_small_stack(move || {
        assert!(EXAMPLE.decode(&encode(&EXAMPLE, &nested(100))).is_ok());
        assert!(EXAMPLE.decode(&encode(&EXAMPLE, &nested(101))).is_err());
    });
}

// P-5
#[test]
fn any_bytes_are_refused_or_decode_to_their_packet() {
    let mut random = fastrand::Rng::with_seed(11);

    for _ in 0..20_000 {
        let len = random.usize(..48);
        let datagram: Vec<u8> = std::iter::repeat_with(|| random.u8(..96)).take(len).collect();

        if let Ok(packet) = EXAMPLE.decode(&datagram) {
            let again = EXAMPLE.decode(&encode(&EXAMPLE, &packet)).unwrap();
            assert_eq!(encode(&EXAMPLE, &again).len(), encode(&EXAMPLE, &packet).len());
        }
    }
}

// P-1
#[test]
fn a_message_is_appended() {
    let mut datagram = b"before|".to_vec();

    EXAMPLE.encode(&Example { number: Some(1), ..Default::default() }, &mut datagram).unwrap();

    assert_eq!(datagram, b"before|\x08\x01");
}

#[test]
fn the_two_directions_may_have_different_types() {
    #[derive(Message)]
    struct Answer {
        #[prost(bool, tag = "1")]
        right: bool,
    }

    let protocol: Protobuf<Example, Answer> = Protobuf::new();

    let mut datagram = Vec::new();
    protocol.encode(&Answer { right: true }, &mut datagram).unwrap();

    assert_eq!(datagram, [0x08, 0x01]);
    assert_eq!(protocol.decode(&datagram).unwrap().number, Some(1));
}
