//! Packets with one field, whose type is in the name of the protocol: `cbor of u64`, `msgpack of text`.
//!
//! They show which forms a type accepts and which it refuses. A packet of any shape cannot show that.

use std::{collections::BTreeMap, error::Error, fmt};

use datagrammar::{Cbor, Msgpack};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use crate::answer;

macro_rules! answer_of {
    ($Codec:ident, $of:expr) => {
        match $of {
            "bool" => answer($Codec::<Packet<bool>>::new()),
            "u8" => answer($Codec::<Packet<u8>>::new()),
            "u32" => answer($Codec::<Packet<u32>>::new()),
            "u64" => answer($Codec::<Packet<u64>>::new()),
            "i64" => answer($Codec::<Packet<i64>>::new()),
            "i128" => answer($Codec::<Packet<i128>>::new()),
            "f64" => answer($Codec::<Packet<f64>>::new()),
            "text" => answer($Codec::<Packet<String>>::new()),
            "bytes" => answer($Codec::<Packet<Bytes>>::new()),
            "optional u64" => answer($Codec::<Packet<Option<u64>>>::new()),
            "list of u64" => answer($Codec::<Packet<Vec<u64>>>::new()),
            "map by text" => answer($Codec::<Packet<BTreeMap<String, u64>>>::new()),
            "map by integers" => answer($Codec::<Packet<BTreeMap<i64, String>>>::new()),
            "packet of packets" => answer($Codec::<Packet<Packet<Vec<Packet<f64>>>>>::new()),
            "command" => answer($Codec::<Packet<Command>>::new()),
            "tagged f64" => answer($Codec::<Packet<Tagged<f64>>>::new()),
            "tagged text" => answer($Codec::<Packet<Tagged<String>>>::new()),
            "tagged list of u64" => answer($Codec::<Packet<Tagged<Vec<u64>>>>::new()),
            "extension" => answer($Codec::<Packet<Extension>>::new()),
            other => Err(format!("there is no type {other:?}").into()),
        }
    };
}

pub(crate) fn answer_as(protocol: &str) -> Result<(), Box<dyn Error>> {
    match protocol.split_once(" of ") {
        Some(("cbor", of)) => answer_of!(Cbor, of),
        Some(("msgpack", of)) => answer_of!(Msgpack, of),
        _ => Err(format!("there is no protocol {protocol:?}").into()),
    }
}

#[derive(Deserialize, Serialize)]
struct Packet<T> {
    bar: T,
}

#[derive(Deserialize, Serialize)]
enum Command {
    Ping,
    Add { a: u32, b: u32 },
    Pair(u8, u8),
    Text(String),
}

/// A CBOR tag, in the same form as the types of `ciborium::tag`.
#[derive(Deserialize, Serialize)]
#[serde(rename = "@@TAG@@")]
enum Tagged<T> {
    #[serde(rename = "@@TAGGED@@")]
    Tagged(u64, T),
    #[serde(rename = "@@UNTAGGED@@")]
    Untagged(T),
}

/// A MessagePack extension, in the same form as in crates that follow `rmp_serde`.
#[derive(Deserialize, Serialize)]
#[serde(rename = "_ExtStruct")]
struct Extension((i8, Bytes));

struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or a list of them")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(Bytes(bytes))
    }
}
