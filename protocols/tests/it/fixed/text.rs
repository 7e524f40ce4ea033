//! Text fields of a fixed layout, and their form in other formats.

use std::error::Error;

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Fixed, FixedText};

use crate::encode;

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
