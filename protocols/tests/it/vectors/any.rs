//! A type that accepts every value, and keeps everything that a format reports about it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Any {
    Null,
    Bool(bool),
    Integer(i128),
    /// The bits, so that NaN is equal to itself, and zero is not equal to minus zero.
    Float(u64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Self>),
    /// The entries in the order of the datagram, including duplicate keys.
    Map(Vec<(Self, Self)>),
    /// An extension of MessagePack.
    Extension(i8, Vec<u8>),
    /// A simple value of CBOR that is not assigned yet. No format passes it to a type.
    Simple(u8),
}

pub(crate) const fn float(float: f64) -> Any {
    Any::Float(float.to_bits())
}

pub(crate) fn text(text: &str) -> Any {
    Any::Text(text.to_owned())
}

pub(crate) fn list<const N: usize>(elements: [Any; N]) -> Any {
    Any::List(elements.into())
}

pub(crate) fn map<const N: usize>(entries: [(Any, Any); N]) -> Any {
    Any::Map(entries.into())
}

impl Any {
    /// Whether it contains a value that no format passes to a type.
    pub(crate) fn holds_simple(&self) -> bool {
        match self {
            Self::Simple(_) => true,
            Self::List(elements) => elements.iter().any(Self::holds_simple),
            Self::Map(entries) => {
                entries.iter().any(|(key, value)| key.holds_simple() || value.holds_simple())
            }
            _ => false,
        }
    }

    /// The value with the key `name` in a map with text keys.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { panic!("not a map: {self:?}") };
        entries.iter().find(|(key, _)| *key == text(name)).map(|(_, value)| value)
    }
}

impl From<i128> for Any {
    fn from(number: i128) -> Self {
        Self::Integer(number)
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Any, E> {
        Ok(Any::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Any, E> {
        Ok(Any::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any, E> {
        Ok(Any::Integer(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Any, E> {
        Ok(Any::Integer(number))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Any, E> {
        i128::try_from(number).map(Any::Integer).map_err(E::custom)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Any, E> {
        Ok(float(number))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Any, E> {
        Ok(Any::Bytes(bytes.to_vec()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Any, E> {
        Ok(text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Any, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Any::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Any, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Any::Map(map))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Any, D::Error> {
        match Any::deserialize(extension)? {
            Any::List(pair) => match pair.as_slice() {
                [Any::Integer(kind), Any::Bytes(bytes)] => {
                    Ok(Any::Extension(*kind as i8, bytes.clone()))
                }
                _ => Err(D::Error::custom("not an extension")),
            },
            _ => Err(D::Error::custom("not an extension")),
        }
    }
}
