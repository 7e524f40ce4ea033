//! The extension that JavaScript libraries send for `undefined`.

use serde::Deserialize;

use super::{Command, Row, reads, refuses};

// msgpackr, and notepack before it, send it for `undefined`, the value of a missing property in JavaScript.
#[test]
fn the_extension_of_type_0_and_the_byte_0_is_nil_if_the_type_asks_for_no_extension() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Marker;
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "t")]
    enum Inside {
        A { x: Option<u8> },
    }

    reads("d40000", &None::<u8>);
    reads("c7010000", &None::<u8>);
    reads("d40000", &None::<String>);
    reads("d40000", &());
    reads("d40000", &Marker);
    reads("92 d40000 07", &(None::<u8>, Some(7_u8)));
    reads("82 a36b6579 90 a464617461 d40000", &Row { key: vec![], data: None });
    reads("81 a450696e67 d40000", &Command::Ping);
    reads("82 a174 a141 a178 d40000", &Inside::A { x: None });
    reads("81 a161 d40000", &serde_json::json!({"a": null}));
    for other in
        ["d40001", "d40100", "d4ff00", "d5000000", "c70000", "c702000000", "d40000 00", "d400"]
    {
        refuses::<Option<u8>>(other);
        refuses::<()>(other);
    }
    refuses::<u8>("d40000");
    refuses::<String>("d40000");
    refuses::<Vec<u8>>("d40000");
}

#[test]
fn a_type_that_asks_for_an_extension_also_gets_that_one() {
    reads("d40000", &Extension((0, Bytes(vec![0]))));
    reads("92 d40000 d40000", &(Extension((0, Bytes(vec![0]))), ()));
    reads("d40001", &Some(Extension((0, Bytes(vec![1])))));
    // This cannot be distinguished from nil.
    reads("d40000", &None::<Extension>);
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename = "_ExtStruct")]
struct Extension((i8, Bytes));

#[derive(Debug, PartialEq)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(Visitor)
    }
}
