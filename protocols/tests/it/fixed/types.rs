//! Types that a fixed layout refuses, and types that refuse their bytes.

use std::error::Error;

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Fixed};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::comes_back;
use crate::encode;

// P-7
#[test]
fn a_type_without_a_fixed_size_is_an_error_in_both_directions() {
    refuses(&vec![1_u8]);
    refuses(&"text".to_owned());
    refuses(&'c');
    refuses(&Some(1_u8));
    refuses(&None::<u8>);
    refuses(&std::collections::BTreeMap::from([(1_u8, 2_u8)]));
    refuses(&c"bytes".to_owned());
    for packet in [Enum::Unit, Enum::Newtype(1), Enum::Tuple(1, 2), Enum::Struct { a: 1 }] {
        refuses(&packet);
    }
    refuses(&Flattened { id: 1, wrapped: Named { a: 2 } });
    refuses(&Tagged::A { a: 1 });
}

// P-7
#[test]
fn a_field_that_would_only_be_written_is_an_error_too() {
    let untagged: Fixed<Untagged> = Fixed::new();
    let skipping: Fixed<(), Skipping> = Fixed::new();

    assert!(untagged.decode(&encode(&untagged, &Untagged::A(1))).is_err());
    assert!(skipping.encode(&Skipping { id: 1 }, &mut Vec::new()).is_ok());
    assert!(skipping.encode(&Skipping { id: 0 }, &mut Vec::new()).is_err());
}

#[test]
fn names_of_fields_and_their_aliases_change_nothing() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Aliased {
        #[serde(alias = "first", alias = "begin", rename = "start")]
        a: u8,
        #[serde(skip)]
        unsent: u64,
        b: u8,
    }

    comes_back(&Aliased { a: 1, unsent: 0, b: 2 }, 2);
}

#[test]
fn a_value_that_a_type_refuses_is_a_decode_error() {
    let fixed: Fixed<std::num::NonZeroU16> = Fixed::new();

    assert_eq!(fixed.decode(&[1, 0]).unwrap().get(), 256);
    assert!(fixed.decode(&[0, 0]).unwrap_err().source().is_some());
}

// P-5: a recursive type takes one byte per level, or none.
#[test]
fn an_endlessly_recursive_type_is_an_ordinary_error() {
    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Newtype(Box<Self>);

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Chain {
        byte: u8,
        next: Box<Self>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Wide([Box<Self>; 32]);

    #[derive(Deserialize)]
    #[expect(dead_code)]
    struct Pair(Box<(Self, Self)>, u64);

    crate::on_small_stack(|| {
        for datagram in [&[1; 65_507][..], &[]] {
            assert!(Fixed::<Newtype, ()>::new().decode(datagram).is_err());
            assert!(Fixed::<Chain, ()>::new().decode(datagram).is_err());
            assert!(Fixed::<Wide, ()>::new().decode(datagram).is_err());
            assert!(Fixed::<Pair, ()>::new().decode(datagram).is_err());
        }
    });
}

#[track_caller]
fn refuses<T: std::fmt::Debug + DeserializeOwned + Serialize>(packet: &T) {
    let fixed: Fixed<T> = Fixed::new();

    let encoding = fixed.encode(packet, &mut Vec::new()).unwrap_err();
    let decoding = fixed.decode(&[1; 64]).unwrap_err();

    assert_eq!((encoding.kind(), decoding.kind()), (ErrorKind::Codec, ErrorKind::Codec));
    for source in [encoding.source(), decoding.source()] {
        let source = source.unwrap().to_string();
        assert!(source.ends_with(" has no fixed size"), "{source}");
    }
}

#[derive(Debug, Deserialize, Serialize)]
enum Enum {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Struct { a: u8 },
}

#[derive(Debug, Deserialize, Serialize)]
struct Named {
    a: u8,
}

#[derive(Debug, Deserialize, Serialize)]
struct Flattened {
    id: u8,
    #[serde(flatten)]
    wrapped: Named,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { a: u8 },
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Untagged {
    A(u8),
}

#[derive(Serialize)]
struct Skipping {
    #[serde(skip_serializing_if = "is_zero")]
    id: u8,
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}
