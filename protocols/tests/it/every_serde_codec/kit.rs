//! Codecs of serde types keep the rules P-1 to P-7 of all protocols: one test each.

use std::{collections::BTreeMap, ffi::CString};

use datagrammar_protocols::{Bincode, Cbor, Json, Msgpack, Postcard, testing::Conformance};
use serde_json::{Value, json};

use super::shape::Shape;

#[test]
fn json() {
    for json in [Json::<Shape>::new(), Json::new().ascii()] {
        let conformance = Conformance::new(json).allow_trailing(WHITE_SPACE).refuse_cuts();
        conformance.run(Shape::one_of_each());
    }
}

#[test]
fn json_of_any_shape() {
    Conformance::new(Json::<Value>::new()).allow_trailing(WHITE_SPACE).refuse_cuts().run([
        json!({"a": [1, -2.5, 1e300], "é": {"": null}}),
        json!("\u{1f600}\n"),
        json!([]),
    ]);
}

#[test]
fn bincode() {
    for bincode in [Bincode::<Shape>::new(), Bincode::new().fixed()] {
        Conformance::new(bincode).refuse_cuts().run(Shape::one_of_each());
    }
}

#[test]
fn bincode_of_elements_without_bytes() {
    Conformance::new(Bincode::<()>::new()).run([()]);
    Conformance::new(Bincode::<Vec<()>>::new()).refuse_cuts().run([vec![], vec![(); 300]]);
}

#[test]
fn bincode_of_values_that_take_more_memory_than_bytes() {
    type Sparse = Vec<Option<Box<[u64; 32]>>>;
    type Named = BTreeMap<CString, Vec<char>>;
    let sparse = || vec![None, Some(Box::new([7; 32])), None];
    let named = || Named::from([(c"".to_owned(), vec![]), (c"a".to_owned(), vec!['é', '😀'])]);

    for bincode in [Bincode::<Sparse>::new(), Bincode::new().fixed()] {
        Conformance::new(bincode).refuse_cuts().run([sparse()]);
    }
    for bincode in [Bincode::<Named>::new(), Bincode::new().fixed()] {
        Conformance::new(bincode).refuse_cuts().run([named()]);
    }
}

#[test]
fn cbor() {
    Conformance::new(Cbor::<Shape>::new()).refuse_cuts().run(Shape::one_of_each());
}

#[test]
fn msgpack() {
    Conformance::new(Msgpack::<Shape>::new()).refuse_cuts().run(Shape::one_of_each());
}

#[test]
fn postcard() {
    Conformance::new(Postcard::<Shape>::new()).refuse_cuts().run(Shape::one_of_each());
}

const WHITE_SPACE: [u8; 4] = *b" \t\r\n";
