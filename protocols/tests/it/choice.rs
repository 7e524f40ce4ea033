//! Several protocols on one port: the choice of the protocol that decodes a datagram or encodes a packet.

use std::cell::Cell;

use bytes::Bytes;
use datagrammar_protocols::{
    BoxError, Claim, DatagramProtocol, DecodeError, Either, EncodeError, ErrorKind, Prefix, Raw,
    Split, Text, converter_fn, first_byte,
};

use crate::encode;

#[test]
fn the_first_byte_chooses_and_stays_in_the_datagram() {
    let stun = Raw.when(first_byte(0..=3));
    let channel = Raw.when(first_byte(64..=79));
    let media = Raw.when(first_byte(128..=191));
    let protocol = stun.or(channel).or(media);

    for byte in 0..=u8::MAX {
        let chosen = protocol.decode(&[byte, 1]).ok();

        let packet = Bytes::from(vec![byte, 1]);
        let expected = match byte {
            0..=3 => Some(Either::Left(Either::Left(packet))),
            64..=79 => Some(Either::Left(Either::Right(packet))),
            128..=191 => Some(Either::Right(packet)),
            _ => None,
        };
        assert_eq!(chosen, expected);
    }
}

#[test]
fn the_variant_chooses_how_a_packet_is_encoded() {
    let protocol = Text.layer(Prefix::new(*b"T")).or(Raw.layer(Prefix::new(*b"R")));

    let left = Either::Left("text".to_owned());
    let right = Either::Right(Bytes::from_static(b"\xff"));

    assert_eq!(encode(&protocol, &left), b"Ttext");
    assert_eq!(encode(&protocol, &right), b"R\xff");
    assert_eq!(protocol.decode(b"Ttext").unwrap(), left);
    assert_eq!(protocol.decode(b"R\xff").unwrap(), right);
}

#[test]
fn a_datagram_that_no_condition_matches_goes_to_the_last_protocol() {
    let protocol = Raw.when(first_byte(0..=3)).or(Text);

    assert_eq!(protocol.decode(b"text").unwrap().right().unwrap(), "text");
    assert_eq!(protocol.decode(b"").unwrap().right().unwrap(), "");
    assert_eq!(protocol.decode(b"\xff").unwrap_err().kind(), ErrorKind::Codec);
}

#[test]
fn the_last_protocol_may_have_a_condition_too() {
    let protocol = Raw.when(first_byte(0..=3)).or(Text.when(first_byte(b' '..)));

    assert_eq!(protocol.decode(b"text").unwrap().right().unwrap(), "text");
    for strange in [&b""[..], b"\n", b"\x04"] {
        let error = protocol.decode(strange).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Layer);
        assert_eq!(error.to_string(), "the bytes do not meet the condition");
    }
}

// P-5
#[test]
fn a_datagram_that_the_chosen_protocol_refuses_reaches_no_other() {
    let asked = Cell::new(0);
    let counted = Text.convert(converter_fn(
        |_: String| {
            asked.set(asked.get() + 1);
            Ok::<_, BoxError>(String::new())
        },
        |text: &String| Ok::<_, BoxError>(text.clone()),
    ));
    let protocol = Text.when(first_byte(b'a'..=b'z')).or(&counted);

    assert!(protocol.decode(b"a\xff").is_err());
    assert_eq!(asked.get(), 0);
    assert!(protocol.decode(b"A").is_ok());
    assert_eq!(asked.get(), 1);
}

#[test]
fn a_packet_whose_bytes_match_another_protocol_is_an_encode_error() {
    let protocol = Text.when(first_byte(b'/'..=b'/')).or(Text);

    let as_chat = protocol.encode(&Either::Right("/quit".to_owned()), &mut Vec::new());
    let as_command = protocol.encode(&Either::Left("hello".to_owned()), &mut Vec::new());
    let empty_command = protocol.encode(&Either::Left(String::new()), &mut Vec::new());

    assert_eq!(as_chat.unwrap_err().to_string(), "another protocol claims these bytes");
    assert_eq!(as_command.unwrap_err().kind(), ErrorKind::Layer);
    assert!(empty_command.is_err());
    assert_eq!(encode(&protocol, &Either::Right(String::new())), b"");
}

// P-1
#[test]
fn the_bytes_before_the_datagram_choose_nothing() {
    let protocol = Text.when(first_byte(b'/'..=b'/')).or(Text);
    let mut datagram = b"/before|".to_vec();

    protocol.encode(&Either::Right("chat".to_owned()), &mut datagram).unwrap();
    protocol.encode(&Either::Left("/quit".to_owned()), &mut datagram).unwrap();

    assert_eq!(datagram, b"/before|chat/quit");
}

#[test]
fn both_ways_of_nesting_choose_the_same() {
    let (a, b) = (Text.when(first_byte(b'a'..=b'a')), Text.when(first_byte(b'b'..=b'b')));
    let chain = a.clone().or(b.clone()).or(Text);
    let nested = a.or(b.or(Text));

    for text in ["a", "b", "c", ""] {
        let chained = match chain.decode(text.as_bytes()).unwrap() {
            Either::Left(Either::Left(packet)) => (0, packet),
            Either::Left(Either::Right(packet)) => (1, packet),
            Either::Right(packet) => (2, packet),
        };
        let nested = match nested.decode(text.as_bytes()).unwrap() {
            Either::Left(packet) => (0, packet),
            Either::Right(Either::Left(packet)) => (1, packet),
            Either::Right(Either::Right(packet)) => (2, packet),
        };

        assert_eq!(chained, nested);
    }
}

#[test]
fn a_converter_has_the_condition_of_the_protocol_inside() {
    let number = Text.when(first_byte(b'0'..=b'9')).convert(converter_fn(
        |text: String| text.parse::<u32>(),
        |number: &u32| Ok::<_, BoxError>(number.to_string()),
    ));
    let protocol = number.or(Text);

    assert_eq!(protocol.decode(b"42").unwrap(), Either::Left(42));
    assert_eq!(protocol.decode(b"4x").unwrap_err().kind(), ErrorKind::Converter);
    assert_eq!(protocol.decode(b"x").unwrap(), Either::Right("x".to_owned()));
}

// P-9
#[test]
fn each_direction_may_have_a_choice_of_its_own() {
    let requests = Text.when(first_byte(b'a'..=b'a')).or(Raw);
    let responses = Text.layer(Prefix::new(*b"1")).or(Raw.layer(Prefix::new(*b"2")));
    let protocol = Split::new(requests, responses);

    assert_eq!(protocol.decode(b"a").unwrap(), Either::Left("a".to_owned()));
    assert_eq!(encode(&protocol, &Either::Left("a".to_owned())), b"1a");
}

#[test]
fn a_protocol_that_shrinks_the_buffer_is_refused_without_a_panic() {
    struct Shrinks;

    impl DatagramProtocol for Shrinks {
        type Incoming = ();
        type Outgoing = ();

        fn decode(&self, _: &[u8]) -> Result<(), DecodeError> {
            Ok(())
        }

        fn encode(&self, (): &(), datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
            datagram.clear();
            Ok(())
        }
    }

    let protocol = Shrinks.when(|_| true);

    assert!(protocol.claims(b""));
    assert!(protocol.encode(&(), &mut b"before".to_vec()).is_err());
    assert!(protocol.or(Shrinks).encode(&Either::Right(()), &mut b"before".to_vec()).is_ok());
}
