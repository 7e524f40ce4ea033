//! Types with attributes for which serde finds out their shape only while it reads. Only self-describing
//! formats support them.

use std::{collections::BTreeMap, ffi::CString, fmt::Debug};

use datagrammar_protocols::{Cbor, DatagramProtocol, Json, Msgpack};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::encode;

// P-4
#[test]
fn flattened_structs_come_back() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Open<K: Ord> {
        id: u8,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        more: BTreeMap<K, Vec<Option<bool>>>,
    }
    let more = || vec![Some(true), None];
    let inner = || Inner { name: "né".to_owned(), wide: u64::MAX };

    comes_back(&Open { id: 7, inner: inner(), more: BTreeMap::from([("a".to_owned(), more())]) });
    comes_back_from_binary(&Open { id: 7, inner: inner(), more: BTreeMap::from([(-1, more())]) });
}

// P-4
#[test]
fn enums_of_every_representation_come_back() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(i64),
        Float(f64),
        Text(String),
        List(Vec<Self>),
        Fields { a: u8, b: Option<Box<Self>> },
        Named(BTreeMap<String, Self>),
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "t")]
    enum Inside {
        Unit,
        Fields { a: Vec<u8>, b: (i8, String) },
        Newtype(Inner),
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "t", content = "c")]
    enum Beside {
        Unit,
        Newtype(Option<u8>),
        Tuple(u8, String),
        Fields { a: f64 },
    }

    for number in [i64::MIN, -1, 0, i64::MAX] {
        comes_back(&Untagged::Number(number));
    }
    let fields = Untagged::Fields { a: 1, b: Some(Box::new(Untagged::Float(-0.5))) };
    let named = BTreeMap::from([("x".to_owned(), Untagged::Text(String::new()))]);
    comes_back(&Untagged::List(vec![fields, Untagged::Named(named), Untagged::List(vec![])]));
    comes_back(&[
        Inside::Unit,
        Inside::Fields { a: vec![1, 2], b: (-1, "b".to_owned()) },
        Inside::Newtype(Inner { name: String::new(), wide: 0 }),
    ]);
    comes_back(&[Beside::Unit, Beside::Newtype(None)]);
    comes_back(&[Beside::Tuple(1, "t".to_owned()), Beside::Fields { a: 1e300 }]);
}

// P-4
#[test]
fn maps_with_keys_that_are_not_text_come_back() {
    #[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    enum Key {
        Unit,
        Pair(u8, bool),
    }

    comes_back(&BTreeMap::from([(-300_i32, 'a'), (7, 'b')]));
    comes_back(&BTreeMap::from([(Key::Unit, ())]));
    comes_back_from_binary(&BTreeMap::from([(Key::Unit, 1), (Key::Pair(1, true), 2)]));
    comes_back_from_binary(&BTreeMap::from([((1_u8, 'x'), u128::MAX), ((2, 'y'), 0)]));
}

// P-4
#[test]
fn extensions_come_back_even_if_serde_keeps_a_copy() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension((i8, CString));
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(untagged)]
    enum Any {
        Number(u8),
        Extension(Extension),
    }
    let packet = vec![Any::Number(1), Any::Extension(Extension((-1, c"abc".to_owned())))];

    let msgpack = Msgpack::<Vec<Any>>::new();

    assert_eq!(msgpack.decode(&encode(&msgpack, &packet)).unwrap(), packet);
}

// For these attributes serde keeps the value as it was sent, because it does not know the type yet.
#[test]
fn a_whole_float_is_an_integer_only_if_serde_keeps_no_copy() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Flat<T> {
        own: u64,
        #[serde(flatten)]
        part: Part<T>,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    struct Part<T> {
        kept: T,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(tag = "t")]
    enum Inside<T> {
        A { kept: T },
    }
    fn both<T: DeserializeOwned>(packet: &serde_json::Value) -> [Option<T>; 2] {
        let cbor = encode(&Cbor::<(), _>::new(), &packet);
        let msgpack = encode(&Msgpack::<(), _>::new(), &packet);
        [Cbor::<T, ()>::new().decode(&cbor).ok(), Msgpack::<T, ()>::new().decode(&msgpack).ok()]
    }
    let flat = serde_json::json!({"own": 5e9, "kept": 6e9});
    let inside = serde_json::json!({"t": "A", "kept": 6e9});

    for read in both::<Flat<f64>>(&flat) {
        assert_eq!(read, Some(Flat { own: 5_000_000_000, part: Part { kept: 6e9 } }));
    }
    for read in both::<Inside<f64>>(&inside) {
        assert_eq!(read, Some(Inside::A { kept: 6e9 }));
    }
    assert_eq!(both::<Flat<u64>>(&flat), [None, None]);
    assert_eq!(both::<Inside<u64>>(&inside), [None, None]);
}

// Each element gets all levels again, even if an element before was refused.
#[test]
fn an_error_that_a_type_ignores_leaves_no_trace() {
    #[derive(Debug, PartialEq)]
    struct Lenient(Option<u8>);

    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            struct Strict {
                a: u8,
            }
            Ok(Self(Strict::deserialize(deserializer).ok().map(|strict| strict.a)))
        }
    }
    let packet = vec![BTreeMap::<String, u8>::new(); 300];

    let cbor = Cbor::<Vec<Lenient>, _>::new();
    let msgpack = Msgpack::<Vec<Lenient>, _>::new();

    assert_eq!(cbor.decode(&encode(&cbor, &packet)).unwrap().len(), 300);
    assert_eq!(msgpack.decode(&encode(&msgpack, &packet)).unwrap().len(), 300);
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Inner {
    name: String,
    wide: u64,
}

#[track_caller]
fn comes_back<T: Debug + DeserializeOwned + PartialEq + Serialize>(packet: &T) {
    let json = encode(&Json::<(), &T>::new(), &packet);

    assert_eq!(&Json::<T, ()>::new().decode(&json).unwrap(), packet);
    comes_back_from_binary(packet);
}

#[track_caller]
fn comes_back_from_binary<T: Debug + DeserializeOwned + PartialEq + Serialize>(packet: &T) {
    let cbor = encode(&Cbor::<(), &T>::new(), &packet);
    let msgpack = encode(&Msgpack::<(), &T>::new(), &packet);

    assert_eq!(&Cbor::<T, ()>::new().decode(&cbor).unwrap(), packet);
    assert_eq!(&Msgpack::<T, ()>::new().decode(&msgpack).unwrap(), packet);
}
