//! JSON: the bytes that are written, and the white space that is accepted.

use std::collections::BTreeMap;

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{encode, hex};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Row {
    key: Vec<u32>,
    data: Option<u32>,
}

// P-29 w1, P-11
#[test]
fn a_struct_is_an_object_with_its_fields_in_order() {
    let json: Json<Row> = Json::new();
    let packet = Row { key: vec![1, 2, 3], data: None };

    let datagram = encode(&json, &packet);

    assert_eq!(datagram, br#"{"key":[1,2,3],"data":null}"#);
    assert_eq!(json.decode(&datagram).unwrap(), packet);
}

// P-29 w2
#[test]
fn text_is_written_as_utf8() {
    let json: Json<String> = Json::new();

    let datagram = encode(&json, &"é€😀".to_owned());

    assert_eq!(datagram, hex("22c3a9e282acf09f988022"));
}

// P-29 w3, P-14
#[test]
fn text_is_written_as_ascii_on_request() {
    let json: Json<String> = Json::new().ascii();

    let datagram = encode(&json, &"é€😀".to_owned());

    assert_eq!(datagram, br#""\u00e9\u20ac\ud83d\ude00""#);
    assert_eq!(json.decode(&datagram).unwrap(), "é€😀");
}

// P-29 w4
#[test]
fn characters_that_need_an_escape_get_the_shortest_one() {
    let json: Json<String> = Json::new().ascii();

    let datagram = encode(&json, &"\x7f/\x08\x0c\x0a\x0d\x09\"\\\x01".to_owned());

    assert_eq!(datagram, br#""\u007f/\b\f\n\r\t\"\\\u0001""#);
}

// P-14
#[test]
fn in_ascii_output_every_character_reads_back() {
    let json: Json<char> = Json::new().ascii();

    for character in ('\0'..=char::MAX).step_by(7).chain(['\u{7e}', '\u{7f}', '\u{80}', char::MAX])
    {
        let datagram = encode(&json, &character);

        assert!(datagram.iter().all(|byte| (0x20..0x7f).contains(byte)), "{character:?}");
        assert_eq!(json.decode(&datagram).unwrap(), character);
    }
}

// P-14
#[test]
fn ascii_output_holds_for_keys_and_for_ready_made_json() {
    #[derive(Serialize)]
    struct Document {
        names: BTreeMap<String, Box<RawValue>>,
    }
    let raw = RawValue::from_string(r#"{"ü":"\n😀"}"#.to_owned()).unwrap();
    let json = Json::<(), Document>::new().ascii();

    let datagram = encode(&json, &Document { names: BTreeMap::from([("é".to_owned(), raw)]) });

    assert_eq!(datagram, br#"{"names":{"\u00e9":{"\u00fc":"\n\ud83d\ude00"}}}"#);
}

// P-29 w5, P-11
#[test]
fn floats_are_written_in_the_shortest_form_that_reads_back() {
    let json: Json<f64> = Json::new();
    let floats = [1.0, -0.0, 0.1, 1e16, 1e-7, 5e-324];

    let written = floats.map(|float| String::from_utf8(encode(&json, &float)).unwrap());

    assert_eq!(written, ["1.0", "-0.0", "0.1", "1e+16", "1e-7", "5e-324"]);
    assert_eq!(json.decode(b"1e-07").unwrap(), 1e-7);
}

// P-11
#[test]
fn a_float_that_is_not_finite_is_written_as_null() {
    let json: Json<f64> = Json::new();

    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(encode(&json, &float), b"null");
    }
}

// P-29 w6, P-11
#[test]
fn white_space_is_read_and_unknown_fields_are_skipped() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Data {
        data: u32,
    }
    let json = Json::<Data, ()>::new();

    let plain = json.decode(&hex("200a7b2264617461223a2034327d0d0a")).unwrap();
    let indented = json.decode(b"\t{\r\n  \"data\": 42,\n  \"more\": [ ]\n}\n").unwrap();

    assert_eq!(plain, Data { data: 42 });
    assert_eq!(indented, Data { data: 42 });
}

#[test]
fn ready_made_json_is_read_as_it_is() {
    #[derive(Deserialize)]
    struct Document {
        first: Box<RawValue>,
        second: u8,
    }
    let json = Json::<Document, ()>::new();

    let document = json.decode(br#"{"first": {"a" : [1.50, "\u00e9"]} , "second":2}"#).unwrap();

    assert_eq!(document.first.get(), r#"{"a" : [1.50, "\u00e9"]}"#);
    assert_eq!(document.second, 2);
    assert!(json.decode(br#"{"first":{"a":[1.]},"second":2}"#).is_err());
}

#[test]
fn text_is_read_with_and_without_escapes_at_every_length() {
    let json: Json<String> = Json::new();

    for len in 0..40 {
        for inner in ["", "\\", "\"", "\n", "é", "😀", "\u{7f}", "/"] {
            let packet = ["x".repeat(len), inner.to_owned(), "y".repeat(len % 11)].concat();

            assert_eq!(json.decode(&encode(&json, &packet)).unwrap(), packet);
            assert_eq!(json.decode(&encode(&json.ascii(), &packet)).unwrap(), packet);
        }
        let control = ["\"", &"x".repeat(len), "\u{1f}", "\""].concat();
        assert!(json.decode(control.as_bytes()).is_err());
        assert!(json.decode(["\"", &"x".repeat(len)].concat().as_bytes()).is_err());
    }
    let escapes = r#""\"\\\/\b\f\n\r\t\u0041\uD83D\uDE00""#;
    assert_eq!(json.decode(escapes.as_bytes()).unwrap(), "\"\\/\u{8}\u{c}\n\r\tA😀");
}

// P-7
#[test]
fn a_packet_without_json_is_an_encode_error() {
    let json = Json::<(), BTreeMap<Vec<u8>, u8>>::new();

    let error = json.encode(&BTreeMap::from([(vec![1], 2)]), &mut Vec::new()).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Codec);
}
