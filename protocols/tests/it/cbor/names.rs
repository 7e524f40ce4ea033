//! Names of fields and variants that are not text.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Command, Row, reads, refuses};

// P-25: Python sends such names for `{b"bar": 42}`.
#[test]
fn names_of_fields_as_byte_strings_are_read() {
    let row = Row { key: vec![1], data: Some(42) };

    reads("a2 43 6b6579 81 01 44 64617461 18 2a", &row);
    reads("a2 63 6b6579 81 01 44 64617461 18 2a", &row);
    reads("a2 5803 6b6579 81 01 5b0000000000000004 64617461 18 2a", &row);
    reads("bf 5f 42 6b65 40 41 79 ff 81 01 5f 44 64617461 ff 18 2a ff", &row);
    reads("d90103 a2 d840 43 6b6579 81 01 d840 44 64617461 18 2a", &row);
    refuses::<Row>("a2 42 6b65 81 01 44 64617461 18 2a"); // "ke" is not a field, and "key" is missing
    refuses::<Row>("a2 c2 43 6b6579 81 01 64 64617461 18 2a"); // a big integer is not a name
    refuses::<Row>("a2 5f 63 6b6579 ff 81 01 64 64617461 18 2a"); // text in a byte string
}

#[test]
fn a_field_given_twice_is_refused_in_all_forms_of_its_name() {
    refuses::<Row>("a3 63 6b6579 80 43 6b6579 80 64 64617461 01");
    refuses::<Row>("a3 43 6b6579 80 43 6b6579 80 64 64617461 01");
}

#[test]
fn names_of_fields_as_byte_strings_are_read_by_visitors_for_text_only() {
    #[derive(Debug, PartialEq)]
    struct Fields(u8);

    impl<'de> Deserialize<'de> for Fields {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;

            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Fields;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("fields")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Fields, A::Error> {
                    let name: Option<char> = map.next_key()?;
                    assert_eq!(name, Some('a'));
                    map.next_value().map(Fields)
                }
            }

            deserializer.deserialize_struct("Fields", &["a"], Visitor)
        }
    }

    reads("a1 41 61 07", &Fields(7));
    reads("a1 5f 41 61 ff 07", &Fields(7));
}

#[test]
fn names_of_variants_as_byte_strings_are_read() {
    reads("44 50696e67", &Command::Ping);
    reads("5f 42 5069 42 6e67 ff", &Command::Ping);
    reads("a1 44 50696e67 f6", &Command::Ping);
    reads("a1 44 50616972 82 01 02", &Command::Pair(1, 2));
    reads("bf 5f 44 50616972 ff 9f 01 02 ff ff", &Command::Pair(1, 2));
    reads("a1 43 416464 a2 41 61 07 41 62 08", &Command::Add { a: 7, b: 8 });
    refuses::<Command>("44 50696e68");
    refuses::<Command>("44 5069ff67");
    refuses::<Command>("c2 44 50696e67");
}

// A name may be a byte string with every attribute of serde.
#[test]
fn names_as_byte_strings_are_read_under_every_attribute() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        k: u8,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Flat {
        n: u8,
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Open {
        n: u8,
        #[serde(flatten)]
        more: BTreeMap<String, u8>,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "t")]
    enum Inside {
        A { k: u8 },
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "t", content = "c")]
    enum Beside {
        A { k: u8 },
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Closed {
        k: u8,
    }

    reads("a2 41 6e 05 41 6b 06", &Flat { n: 5, inner: Inner { k: 6 } });
    reads("a2 41 6e 05 41 6b 06", &Open { n: 5, more: BTreeMap::from([("k".to_owned(), 6)]) });
    reads("a2 41 74 41 41 41 6b 06", &Inside::A { k: 6 });
    reads("a2 41 74 41 41 41 63 a1 41 6b 06", &Beside::A { k: 6 });
    reads("a2 41 63 a1 41 6b 06 41 74 41 41", &Beside::A { k: 6 });
    reads("a1 41 6b 06", &Closed { k: 6 });
    refuses::<Closed>("a2 41 6b 06 41 78 06");
}
