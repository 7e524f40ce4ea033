//! JSON texts of JSONTestSuite, which must be read or refused.

use datagrammar_protocols::{DatagramProtocol, Json};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    any::{Any, float, list, map, text},
    files, read, refused, sets,
};

// P-12: `json_strict.rs` tests refused texts without any set.
#[test]
fn texts_that_are_json_are_read() {
    let texts = [
        ("[[]   ]", list([list([])])),
        ("[1\n]", list([1.into()])),
        (" [] ", list([])),
        ("-0.0", float(-0.0)),
        ("123e65", float(1.23e67)),
        ("1E-2", float(0.01)),
        ("20e1", float(200.0)),
        (r#"{"":0}"#, map([(text(""), 0.into())])),
        (r#"{"a":"b","a":"c"}"#, map([(text("a"), text("b")), (text("a"), text("c"))])),
        (r#""\u0060\u012a\u12AB""#, text("\u{60}\u{12a}\u{12ab}")),
        (r#""\uD801\udc37""#, text("\u{10437}")),
        (r#""\"\\\/\b\f\n\r\t""#, text("\"\\/\u{8}\u{c}\n\r\t")),
        ("\"\u{2028}\u{2029}\u{7f}\"", text("\u{2028}\u{2029}\u{7f}")),
        (r#""\u0000""#, text("\0")),
        ("[null,1,\"1\",{}]", list([Any::Null, 1.into(), text("1"), map([])])),
    ];

    for (json, any) in texts {
        assert_eq!(read(&Json::<Any, ()>::new(), json.as_bytes(), json), any, "{json}");
        passed_over(json.as_bytes(), json);
    }
}

#[test]
fn texts_that_are_almost_json_are_refused_in_unknown_fields_too() {
    let texts = [
        "[1 true]",
        "[\"\": 1]",
        "[1,,2]",
        "[1]]",
        "[",
        "[-]",
        "-",
        "2.e3",
        "0e+",
        "1_000",
        "0x1",
        "{\"a\"}",
        "{\"a\":",
        "{\"a\" b}",
        "{\"a\":1,,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "nul",
        "truth",
        "\"",
        "\"\\",
        "\"\\u00A\"",
        "\"\\uD800\\u\"",
        "\"\\a\"",
        "\u{a0}1",
        "[\u{c}]",
        "1 2",
        "{}}",
        "\"a\" \"b\"",
        "[1]x",
    ];

    for json in texts {
        refused_everywhere(json.as_bytes(), json);
    }
}

#[test]
fn texts_of_json_test_suite_are_read_and_refused_as_their_names_say() {
    let Some(sets) = sets() else { return };
    let [mut valid, mut invalid, mut either] = [0; 3];

    for (name, json) in files(&sets.join("test_parsing")) {
        match name.as_bytes()[0] {
            b'y' => {
                read(&Json::<Any, ()>::new(), &json, &name);
                passed_over(&json, &name);
                valid += 1;
            }
            b'n' => {
                refused_everywhere(&json, &name);
                invalid += 1;
            }
            b'i' => {
                // A text that is read as a value can be skipped too. The reverse is not true for numbers and
                // surrogates.
                let as_a_value = Json::<Any, ()>::new().decode(&json);
                let skipped = Json::<IgnoredAny, ()>::new().decode(&json);
                assert!(as_a_value.is_err() || skipped.is_ok(), "{name}");
                either += 1;
            }
            _ => panic!("{name} does not tell what it is"),
        }
    }
    assert_eq!([valid, invalid, either], [95, 188, 35]);
}

fn refused_everywhere(json: &[u8], what: &str) {
    refused(&Json::<Any, ()>::new(), json, what);
    refused(&Json::<IgnoredAny, ()>::new(), json, what);
    refused(&Json::<Data, ()>::new(), &in_an_unknown_field(json), what);
}

fn passed_over(json: &[u8], what: &str) {
    let packet = read(&Json::<Data, ()>::new(), &in_an_unknown_field(json), what);
    assert_eq!(packet, Data { data: 42 }, "{what}");
}

fn in_an_unknown_field(json: &[u8]) -> Vec<u8> {
    [br#"{"unknown":"#, json, br#","data":42}"#].concat()
}

#[derive(Debug, Deserialize, PartialEq)]
struct Data {
    data: u64,
}
