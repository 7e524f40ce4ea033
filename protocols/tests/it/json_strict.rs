//! JSON: texts that are refused, and limits on nesting.

use std::error::Error;

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Json};
use serde::Deserialize;
use serde_json::Value;

use crate::on_small_stack;

// P-12
#[test]
fn texts_that_are_not_json_are_refused() {
    let json: Json<Value> = Json::new();
    let refused: [&[u8]; 35] = [
        b"",
        b" \n",
        b"invalid",
        b"\0",
        b"1\0",
        b"\xef\xbb\xbf{}",
        b"{}\xef\xbb\xbf",
        b"\"\xff\"",
        b"\xff",
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"a\nb\"",
        b"\"a\tb\"",
        b"\"a\0b\"",
        b"\"\x1f\"",
        b"[1,]",
        b"[,1]",
        b"{\"a\":1,}",
        b"{a:1}",
        b"{1:1}",
        b"01",
        b"-01",
        b"+1",
        b"1.",
        b".5",
        b"1e",
        b"0x10",
        b"'a'",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"-1e400",
        b"// comment\n1",
        b"\"\\x41\"",
    ];

    for datagram in refused {
        let error = json.decode(datagram).expect_err(&datagram.escape_ascii().to_string());

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.source().is_some());
    }
}

// P-12
#[test]
fn a_lone_surrogate_is_refused() {
    let json: Json<String> = Json::new();
    let lone =
        [r#""\ud800""#, r#""\udc00""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ude00\ud83d""#];

    for datagram in lone {
        assert!(json.decode(datagram.as_bytes()).is_err(), "{datagram}");
    }
}

// P-12
#[test]
fn a_field_given_twice_is_refused() {
    let json = Json::<Data, ()>::new();

    let error = json.decode(br#"{"data":1,"data":1}"#).unwrap_err();

    assert_eq!(error.to_string(), "JSON does not match the packet type");
}

// P-12
#[test]
fn invalid_utf8_is_refused_in_skipped_fields_too() {
    let json = Json::<Data, ()>::new();

    assert!(json.decode(b"{\"data\":1,\"skipped\":\"\xff\"}").is_err());
}

// P-2
#[test]
fn one_byte_after_the_packet_is_refused_unless_it_is_white_space() {
    let json = Json::<Data, ()>::new();

    for byte in 0..=u8::MAX {
        let datagram = [br#"{"data":1}"#, &[byte][..]].concat();

        assert_eq!(json.decode(&datagram).is_ok(), b" \t\r\n".contains(&byte), "{byte:#x}");
    }
}

// P-13
#[test]
fn nesting_of_127_is_read_and_more_is_refused() {
    on_small_stack(|| {
        let json: Json<Value> = Json::new();
        let list = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();
        let object = |depth| [r#"{"a":"#.repeat(depth), "1".to_owned(), "}".repeat(depth)].concat();

        assert!(json.decode(list(127).as_bytes()).is_ok());
        assert!(json.decode(object(127).as_bytes()).is_ok());
        for depth in [128, 10_000, 60_000] {
            assert!(json.decode(list(depth).as_bytes()).is_err());
            assert!(json.decode(object(depth).as_bytes()).is_err());
        }
    });
}

// P-13: levels count in the same way in a field that the type does not have.
#[test]
fn skipped_values_have_the_same_nesting_limit() {
    let json = Json::<Data, ()>::new();
    let skipped = |depth| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        json.decode(format!(r#"{{"data":1,"more":{open}{close}}}"#).as_bytes())
    };

    assert!(skipped(126).is_ok());
    assert!(skipped(127).is_err());
    assert!(skipped(30_000).is_err());
}

// P-13
#[test]
fn the_nesting_limit_is_the_one_that_was_set() {
    on_small_stack(|| {
        for limit in [0, 1, 2, 200] {
            let json: Json<Value> = Json::new().nesting_limit(limit);
            let list = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();

            assert!(json.decode(b"1").is_ok());
            assert!(json.decode(list(limit + 1).as_bytes()).is_err());
            assert!(limit == 0 || json.decode(list(limit).as_bytes()).is_ok());
        }
    });
}

// P-12: otherwise the meaning of its elements would depend on the order of the fields.
#[test]
fn a_list_is_not_read_as_a_struct() {
    #[derive(Debug, Deserialize)]
    enum Either {
        #[expect(dead_code)]
        Struct { data: u32 },
        #[expect(dead_code)]
        Tuple(u32, u32),
    }
    #[derive(Debug, Deserialize)]
    struct Tuple(#[expect(dead_code)] u32, #[expect(dead_code)] u32);

    assert!(Json::<Data, ()>::new().decode(b"[7]").is_err());
    assert!(Json::<Either, ()>::new().decode(br#"{"Struct":[7]}"#).is_err());
    assert!(Json::<Either, ()>::new().decode(br#"{"Struct":{"data":7}}"#).is_ok());
    assert!(Json::<Either, ()>::new().decode(br#"{"Tuple":[7,8]}"#).is_ok());
    assert!(Json::<Tuple, ()>::new().decode(b"[7,8]").is_ok());
    assert!(Json::<Tuple, ()>::new().decode(b"[7,8,9]").is_err());
    assert!(Json::<Tuple, ()>::new().decode(b"[7]").is_err());
}

// P-2
#[test]
fn a_variant_is_one_name_with_one_content() {
    #[derive(Debug, Deserialize, PartialEq)]
    enum Choice {
        Unit,
        Newtype(u8),
    }
    let read = |json: &str| Json::<Choice, ()>::new().decode(json.as_bytes()).ok();

    assert_eq!(read(r#""Unit""#), Some(Choice::Unit));
    assert_eq!(read(r#"{"Unit":null}"#), Some(Choice::Unit));
    assert_eq!(read(r#" { "Newtype" : 1 } "#), Some(Choice::Newtype(1)));
    for refused in [
        r#""Newtype""#,
        r#""Other""#,
        r#"{"Unit":1}"#,
        r#"{"Newtype":1,"Unit":null}"#,
        r#"{"Newtype":1,}"#,
        r#"{"Newtype"}"#,
        r#"{"Newtype":1"#,
        "{}",
        "0",
        "null",
        "[]",
    ] {
        assert_eq!(read(refused), None, "{refused}");
    }
}

// P-13, P-5
#[test]
fn brackets_that_never_close_are_an_ordinary_error() {
    on_small_stack(|| {
        #[derive(Debug, Deserialize)]
        struct Tree(#[expect(dead_code)] Vec<Self>);

        let hostile = "[".repeat(65_507);

        assert!(Json::<Value>::new().decode(hostile.as_bytes()).is_err());
        assert!(Json::<Tree, ()>::new().decode(hostile.as_bytes()).is_err());
        assert!(Json::<Data, ()>::new().decode(hostile.as_bytes()).is_err());
    });
}

// P-13
#[test]
fn an_integer_of_5000_digits_is_an_ordinary_error() {
    let digits = "9".repeat(5_000);

    assert!(Json::<u64>::new().decode(digits.as_bytes()).is_err());
    assert!(Json::<i128>::new().decode(digits.as_bytes()).is_err());
    assert!(Json::<f64>::new().decode(digits.as_bytes()).is_err());
    assert!(Json::<Value>::new().decode(digits.as_bytes()).is_err());
}

// P-7
#[test]
fn the_message_distinguishes_a_cut_text_invalid_json_and_another_shape() {
    let json = Json::<Data, ()>::new();

    let message = |datagram: &[u8]| json.decode(datagram).unwrap_err().to_string();

    assert_eq!(message(br#"{"data":"#), "unexpected end of JSON");
    assert_eq!(message(b"data"), "invalid JSON");
    assert_eq!(message(br#"{"data":-1}"#), "JSON does not match the packet type");
    assert_eq!(message(b"\xff"), "invalid UTF-8");
}

// P-7, H-13
#[test]
fn the_message_repeats_no_byte_of_the_datagram_and_the_source_is_serde_jsons() {
    let json = Json::<Data, ()>::new();

    let error = json.decode(br#"{"data":"SECRET"}"#).unwrap_err();

    assert!(!error.to_string().contains("SECRET"));
    assert!(error.source().unwrap().is::<serde_json::Error>());
}

#[test]
fn the_source_names_the_position_of_the_error() {
    let json = Json::<Data, ()>::new();

    let error = json.decode(b"{\n  \"data\": 1,\n}").unwrap_err();
    let source: &serde_json::Error = error.source().unwrap().downcast_ref().unwrap();

    assert_eq!((source.line(), source.column()), (3, 1));
    assert_eq!(source.to_string(), "name is not in quotation marks at line 3 column 1");
}

#[derive(Debug, Deserialize, PartialEq)]
struct Data {
    data: u32,
}
