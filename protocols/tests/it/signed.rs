//! The signed layer: the bytes, keys, and the datagrams that are refused.

use std::{borrow::Cow, error::Error};

use base64ct::{Base64Url, Encoding};
use bytes::Bytes;
use datagrammar_protocols::{
    DatagramProtocol, DecodeError, ErrorKind, Json, Layer, Raw, Signed, SigningKey, Text,
};
use serde::{Deserialize, Serialize};

use crate::{STEP, encode};

// P-29 w12, P-20
#[test]
fn the_signature_is_the_hmac_sha_256_of_the_bytes_and_follows_them() {
    let protocol = Text.layer(Signed::new(&k()));
    let bytes = base64("aGVsbG9TxAJypwwVyk7gr03x8VX9bEHgDOIwfYmH7NS7NqfpkA==");

    let datagram = encode(&protocol, &"hello".to_owned());

    assert_eq!(datagram, bytes);
    assert_eq!(protocol.decode(&bytes).unwrap(), "hello");
}

// P-29 w13
#[test]
fn json_is_signed_as_it_is_written() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct D {
        data: u32,
    }
    let protocol = Json::<D>::new().layer(Signed::new(&k()));
    let bytes = base64("eyJkYXRhIjo0Mn0vnDHW3p096ZVC5cqCp7oj83tqIrorZ-YAppvgIPMASA==");

    let datagram = encode(&protocol, &D { data: 42 });

    assert_eq!(datagram, bytes);
    assert_eq!(protocol.decode(&bytes).unwrap(), D { data: 42 });
}

// P-20, P-2, P-3
#[test]
fn altered_cut_extended_and_foreign_datagrams_are_refused_with_the_same_error() {
    let protocol = Text.layer(Signed::new(&k()));
    let honest = encode(&protocol, &"hello".to_owned());

    for bit in (0..honest.len() * 8).step_by(STEP) {
        let mut altered = honest.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        refused(protocol.decode(&altered));
    }
    for len in (0..honest.len()).step_by(STEP) {
        refused(protocol.decode(&honest[..len]));
        refused(protocol.decode(&honest[honest.len() - len..]));
    }
    refused(protocol.decode(&[&honest[..], b"\0"].concat()));
    refused(protocol.decode(&[&honest[..], &honest[..]].concat()));
    refused(Text.layer(Signed::new(&[7; 32].into())).decode(&honest));
}

// P-20
#[test]
fn an_empty_datagram_can_be_signed() {
    let protocol = Raw.layer(Signed::new(&k()));

    let datagram = encode(&protocol, &Bytes::new());

    assert_eq!(datagram.len(), 32);
    assert!(protocol.decode(&datagram).unwrap().is_empty());
    refused(protocol.decode(b""));
}

// P-20
#[test]
fn one_key_signs_and_several_are_accepted() {
    let keys = [[1; 32], [2; 32], [3; 32]].map(SigningKey::from);
    let [one, two, three] = &keys;
    let rotating = Text.layer(Signed::new(one).accepting(two).accepting(three));
    let text = "text".to_owned();

    for key in &keys {
        let datagram = encode(&Text.layer(Signed::new(key)), &text);
        assert_eq!(rotating.decode(&datagram).unwrap(), text);
    }
    refused(rotating.decode(&encode(&Text.layer(Signed::new(&k())), &text)));

    let datagram = encode(&rotating, &text);
    assert!(Text.layer(Signed::new(one)).decode(&datagram).is_ok());
    refused(Text.layer(Signed::new(two)).decode(&datagram));
    refused(Text.layer(Signed::new(three)).decode(&datagram));
}

// P-1, P-10
#[test]
fn only_the_appended_bytes_are_signed_and_signatures_nest() {
    let protocol = Text.layer(Signed::new(&[1; 32].into())).layer(Signed::new(&[2; 32].into()));
    let mut datagram = b"before|".to_vec();

    protocol.encode(&"text".to_owned(), &mut datagram).unwrap();

    assert_eq!(datagram[..7], *b"before|");
    assert_eq!(datagram.len(), 7 + 4 + 32 + 32);
    assert_eq!(protocol.decode(&datagram[7..]).unwrap(), "text");
    let reverse = Text.layer(Signed::new(&[2; 32].into())).layer(Signed::new(&[1; 32].into()));
    refused(reverse.decode(&datagram[7..]));
}

// P-20: the verified payload is a part of the datagram, not a copy.
#[test]
fn verifying_borrows() {
    let layer = Signed::new(&k());
    let datagram = encode(&Text.layer(&layer), &"text".to_owned());

    assert!(matches!(layer.undo(&datagram), Ok(Cow::Borrowed(b"text"))));
}

// P-20: the signature is checked before anything else is parsed.
#[test]
fn the_protocol_inside_sees_only_datagrams_that_are_signed() {
    let protocol = Text.layer(Signed::new(&k()));
    let signed = encode(&Raw.layer(Signed::new(&k())), &Bytes::from_static(b"\xff"));

    refused(protocol.decode(b"\xff"));
    assert_eq!(protocol.decode(&signed).unwrap_err().kind(), ErrorKind::Codec);
}

// P-21
#[test]
fn debug_shows_how_many_keys_are_accepted_and_none_of_them() {
    let layer = Signed::new(&k()).accepting(&[0x41; 32].into());

    assert_eq!(format!("{layer:?}"), "Signed { accepted_keys: 2, .. }");
    assert_eq!(format!("{:?}", layer.clone()), format!("{layer:?}"));
}

#[track_caller]
fn refused<T>(decoded: Result<T, DecodeError>) {
    let Err(error) = decoded else { panic!("it was accepted") };
    assert_eq!(error.kind(), ErrorKind::Layer);
    assert_eq!(error.to_string(), "the signature does not match any accepted key");
    assert!(error.source().is_none());
}

/// The key K of the wire vectors in the contract.
fn k() -> SigningKey {
    std::array::from_fn(|n| n as u8).into()
}

fn base64(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; text.len()];
    Base64Url::decode(text, &mut bytes).expect("it is base64").to_vec()
}
