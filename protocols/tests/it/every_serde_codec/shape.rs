//! A type with every shape that serde has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Shape {
    Unit,
    Newtype(Wrapped),
    Nothing(Marker),
    Tuple(i8, u16, f32, char),
    Struct { id: u64, name: String, values: [f64; 2] },
    Optional(Option<Option<Box<Self>>>),
    Many(Vec<Self>),
    Named(BTreeMap<String, Self>),
    Wide(i128, u128),
    Pair((bool, ()), TupleStruct),
    Bytes(std::ffi::CString),
}

impl Shape {
    pub(crate) fn one_of_each() -> Vec<Self> {
        vec![
            Self::Unit,
            Self::Newtype(Wrapped(-70_000)),
            Self::Nothing(Marker),
            Self::Tuple(-1, 300, 0.5, '€'),
            Self::Struct { id: u64::MAX, name: "naïve".to_owned(), values: [0.1, -0.0] },
            Self::Optional(None),
            Self::Optional(Some(Some(Box::new(Self::Unit)))),
            Self::Many(vec![Self::Unit, Self::Many(vec![])]),
            Self::Named(BTreeMap::from([("a".to_owned(), Self::Unit)])),
            Self::Wide(i128::MIN, u128::MAX),
            Self::Pair((true, ()), TupleStruct(1, "two".to_owned())),
            Self::Bytes(c"\xff\x01".to_owned()),
        ]
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Wrapped(i32);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Marker;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct TupleStruct(u8, String);
