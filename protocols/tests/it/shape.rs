//! the shape of a protocol includes every datagram that it accepts.

use std::collections::HashMap;

use datagrammar_protocols::{
    Bytes, Choice, Claim, DatagramProtocol, Layer, LockStep, Prefix, Raw, Shape, Split, Tagged,
    TaggedServer, Text, TextLine, first_byte,
};
use fastrand::Rng;

use crate::encode;

/// A shape, and what it must include.
type Model = (Shape, Box<dyn Fn(&[u8]) -> bool>);

/// A shape that is made of others at random, at most `levels` deep.
fn model(random: &mut Rng, levels: usize) -> Model {
    let byte = random.u8(..4);
    let len = random.usize(..6);
    if levels == 0 {
        return match random.u8(..5) {
            0 => (Shape::first_byte(byte..), Box::new(move |it| it.first() >= Some(&byte))),
            1 => (
                Shape::first_byte(..=byte),
                Box::new(move |it| matches!(it, [first, ..] if *first <= byte)),
            ),
            2 => (Shape::prefix([byte, 1]), Box::new(move |it| it.starts_with(&[byte, 1]))),
            3 => (Shape::lengths(len..=4), Box::new(move |it| (len..=4).contains(&it.len()))),
            _ => (Shape::lengths(..len), Box::new(move |it| it.len() < len)),
        };
    }
    let (one, one_has) = model(random, levels - 1);
    match random.u8(..4) {
        0 => {
            let has = move |it: &[u8]| it.get(len..).is_some_and(&one_has);
            (one.with_header(len), Box::new(has))
        }
        1 => {
            let has = move |it: &[u8]| match it.len().checked_sub(len) {
                // Whatever the last bytes are, the first ones are those of the inner datagram.
                Some(inner) => one_has(&it[..inner]),
                None => false,
            };
            (one.with_trailer(len), Box::new(has))
        }
        two => {
            let (other, other_has) = model(random, levels - 1);
            if two == 2 {
                return (one.or(other), Box::new(move |it| one_has(it) || other_has(it)));
            }
            (one.and(other), Box::new(move |it| one_has(it) && other_has(it)))
        }
    }
}

fn datagram(random: &mut Rng) -> Vec<u8> {
    let len = random.usize(..12);
    (0..len).map(|_| random.u8(..5)).collect()
}

//
#[test]
fn a_shape_of_others_includes_all_that_it_must() {
    let mut random = Rng::with_seed(20);
    let rounds = if cfg!(miri) { 20 } else { 2_000 };
    let (mut included, mut excluded) = (0, 0);

    for _ in 0..rounds {
        let levels = random.usize(..5);
        let (shape, has) = model(&mut random, levels);
        assert!(shape.patterns().len() <= 8);

        for _ in 0..100 {
            let datagram = datagram(&mut random);
            let is_included = shape.matches(&datagram);
            assert!(is_included || !has(&datagram), "{shape:?} lacks {datagram:?}");
            if levels < 2 {
                assert_eq!(is_included, has(&datagram), "{shape:?}, {datagram:?}");
            }
            *if is_included { &mut included } else { &mut excluded } += 1;
        }
    }

    assert!(included > rounds * 5 && excluded > rounds * 5, "{included}, {excluded}");
}

//
#[test]
fn what_is_too_much_to_remember_is_included() {
    let many = (0..=255).step_by(2).map(|byte| Shape::prefix([byte, byte + 1]));
    let many = many.reduce(Shape::or).unwrap();
    assert_eq!(many.patterns().len(), 8);
    assert!((0..=255).step_by(2).all(|byte| many.matches(&[byte, byte + 1])));
    assert!(!many.matches(&[1]) && !many.matches(b""));

    let long = Shape::prefix([7; 40]);
    assert_eq!(long.patterns()[0].positions(), 32);
    assert!(long.matches(&[7; 40]) && !long.matches(&[7; 39]));
    assert!(Shape::first_byte(7..=7).with_header(100).matches(&[0; 101]));
}

//
#[test]
fn no_datagram_may_be_left() {
    for none in [
        Shape::lengths(5..5),
        Shape::lengths((std::ops::Bound::Excluded(usize::MAX), std::ops::Bound::Unbounded)),
        Shape::first_byte(5..5),
        Shape::prefix(b"A").and(Shape::prefix(b"B")).with_header(1).with_trailer(1),
        Shape::prefix(b"A").and(Shape::lengths(..1)),
    ] {
        assert!(none.patterns().is_empty() && !none.is_any());
        assert!(!none.matches(b"") && !none.matches(b"A"));
    }
}

/// Asserts that datagrams have the shape of `protocol`, or do not.
#[track_caller]
fn has<P: DatagramProtocol>(protocol: &P, yes: &[&[u8]], no: &[&[u8]]) {
    let shape = protocol.shape();
    yes.iter().for_each(|datagram| assert!(shape.matches(datagram), "{datagram:?}"));
    no.iter().for_each(|datagram| assert!(!shape.matches(datagram), "{datagram:?}"));
}

//
#[test]
fn each_protocol_knows_its_shape() {
    has(&Raw, &[b"", b"\xff"], &[]);
    has(&Text, &[b"", b"text", "é".as_bytes()], &[b"\xff", b"\x80"]);
    has(&TextLine::new(), &[b"", b"text\n"], &["é".as_bytes()]);
    has(&TextLine::new().utf8(), &["é".as_bytes()], &[b"\xff"]);

    let prefixed = Raw.layer(Prefix::new(*b"in")).layer(Prefix::new(*b"out"));
    has(&prefixed, &[b"outin", b"outin\0"], &[b"", b"outi", b"out", b"inout", b"outIn"]);

    let (one, other) = (Shape::first_byte(..=3), Shape::first_byte(128..=191));
    let choice = Raw.shaped(one.and(Shape::lengths(20..))).or(Raw.shaped(other));
    has(&choice, &[&[3; 20], &[128]], &[&[3; 19], &[4; 20], &[192], b""]);

    let conditional = Text.layer(Prefix::new(*b"/")).when(first_byte(b'/'..=b'/'));
    has(&conditional, &[b"/"], &[b"join"]);
    has(&Split::new(prefixed, Raw), &[b"outin"], &[b"out"]);
    has(&LockStep::new(prefixed), &[b"outin"], &[b"out"]);
    let pointer: Box<dyn DatagramProtocol<Incoming = Bytes, Outgoing = Bytes>> =
        Box::new(&prefixed);
    has(&&pointer, &[b"outin"], &[b"out"]);
    has(&std::sync::Arc::new(prefixed), &[b"outin"], &[b"out"]);
}

//
#[test]
fn a_tagged_protocol_knows_the_kinds_and_what_is_behind_them() {
    let (inner, id) = (Text.layer(Prefix::new(*b"Q")), [1, 2, 3, 4]);
    let tagged = |kind: u8, packet: &[u8]| [&[kind], &id[..], packet].concat();

    let server = TaggedServer::new(inner).shape();
    assert!(server.matches(&tagged(0, b"Q")) && server.matches(&tagged(2, b"Q?")));
    assert!(!server.matches(&tagged(1, b"Q")) && !server.matches(&tagged(3, b"Q")));
    assert!(!server.matches(&tagged(0, b"R")) && !server.matches(&tagged(0, b"")));

    let client = Tagged::new(inner).shape();
    assert!(client.matches(&tagged(1, b"Q")) && client.matches(&tagged(3, b"")));
    assert!(!client.matches(&tagged(0, b"Q")) && !client.matches(&tagged(3, b"Q")));
}

//
#[test]
fn a_protocol_with_a_shape_accepts_no_other_datagram() {
    let commands = Text.shaped(Shape::prefix(b"/"));
    let both: Choice<_, _> = commands.clone().or(Text);

    assert_eq!(encode(&commands, &"/join".to_owned()), b"/join");
    assert!(commands.encode(&"join".to_owned(), &mut Vec::new()).is_err());
    assert!(commands.claims(b"/join") && !commands.claims(b"join"));
    assert!(commands.decode(b"/join").is_ok() && commands.decode(b"join").is_err());
    assert_eq!(both.decode(b"/join").unwrap().left(), Some("/join".to_owned()));
    assert_eq!(both.decode(b"join").unwrap().right(), Some("join".to_owned()));
}

//
#[test]
fn a_layer_that_says_nothing_may_do_anything() {
    struct Reverse;

    impl Layer for Reverse {
        fn apply(
            &self,
            datagram: &mut Vec<u8>,
            start: usize,
        ) -> Result<(), datagrammar_protocols::EncodeError> {
            datagram[start..].reverse();
            Ok(())
        }

        fn undo<'d>(
            &self,
            datagram: &'d [u8],
        ) -> Result<std::borrow::Cow<'d, [u8]>, datagrammar_protocols::DecodeError> {
            Ok(datagram.iter().rev().copied().collect())
        }
    }

    let layer: Box<dyn Layer> = Box::new(Reverse);
    assert!(Raw.layer(Prefix::new(*b"QZ")).layer(layer).shape().is_any());
}

#[cfg(feature = "fixed")]
mod fixed {
    use std::{num::NonZeroU16, time::Duration};

    use datagrammar_protocols::{DatagramProtocol, Fixed, FixedText};
    use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

    use super::HashMap;

    fn len<T: DeserializeOwned + Serialize>(fixed: &Fixed<T>) -> Option<usize> {
        match fixed.shape().patterns() {
            [pattern] if pattern.lengths().start() == pattern.lengths().end() => {
                Some(*pattern.lengths().start())
            }
            _ => {
                assert!(fixed.shape().is_any());
                None
            }
        }
    }

    /// A number that is none of those which the search tries first.
    #[derive(Deserialize, Serialize)]
    #[serde(try_from = "u8", into = "u8")]
    struct Only<const N: u8>;

    impl<const N: u8> Clone for Only<N> {
        fn clone(&self) -> Self {
            Self
        }
    }

    impl<const N: u8> From<Only<N>> for u8 {
        fn from(_: Only<N>) -> Self {
            N
        }
    }

    impl<const N: u8> TryFrom<u8> for Only<N> {
        type Error = &'static str;

        fn try_from(number: u8) -> Result<Self, Self::Error> {
            if number == N { Ok(Self) } else { Err("another number") }
        }
    }

    //
    #[test]
    fn a_fixed_layout_knows_its_length() {
        assert_eq!(len::<()>(&Fixed::new()), Some(0));
        assert_eq!(
            len::<(u8, u32, [u16; 3], FixedText<9>, bool, f64, Duration)>(&Fixed::new()),
            Some(41)
        );
        assert_eq!(len::<(Only<7>, u64, Only<255>, Only<0>)>(&Fixed::new()), Some(11));
        assert_eq!(len::<(NonZeroU16, Only<2>)>(&Fixed::new().little_endian()), Some(3));
        assert_eq!(len::<[[u64; 32]; 32]>(&Fixed::new()), Some(8_192));
    }

    /// Its length depends on its first byte.
    #[derive(Serialize)]
    struct Sneaky(u8);

    impl<'de> Deserialize<'de> for Sneaky {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;

            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Sneaky;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("one byte, or five")
                }

                fn visit_seq<A: serde::de::SeqAccess<'de>>(
                    self,
                    mut seq: A,
                ) -> Result<Sneaky, A::Error> {
                    let first = seq.next_element()?.unwrap_or(0_u8);
                    if first % 2 == 1 {
                        seq.next_element::<u32>()?;
                    } else {
                        seq.next_element::<()>()?;
                    }
                    Ok(Sneaky(first))
                }
            }

            deserializer.deserialize_tuple(2, Visitor)
        }
    }

    //
    #[test]
    fn a_type_without_a_fixed_layout_has_any_shape() {
        assert_eq!(len::<Sneaky>(&Fixed::new()), None);
        assert_eq!(len::<Vec<u8>>(&Fixed::new()), None);
        assert_eq!(len::<HashMap<u8, u8>>(&Fixed::new()), None);
        // No single byte makes this valid.
        assert_eq!(len::<(Only<1>, u8, std::num::NonZero<u128>, Never)>(&Fixed::new()), None);
    }

    #[derive(Serialize)]
    struct Never;

    impl<'de> Deserialize<'de> for Never {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u16::deserialize(deserializer)?;
            Err(serde::de::Error::custom("never"))
        }
    }
}

#[cfg(feature = "json")]
mod json {
    use datagrammar_protocols::{DatagramProtocol, Json, Shape};
    use serde::{Deserialize, Deserializer, Serialize};

    /// A type that does not look at its bytes.
    #[derive(Serialize)]
    struct Blind;

    impl<'de> Deserialize<'de> for Blind {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }

    //
    #[test]
    fn json_begins_with_a_value_unless_the_type_reads_nothing() {
        let shape = Json::<serde_json::Value>::new().shape();
        for text in ["null", "true", "false", "-1", "0", "\"\"", "[]", "{}", " 1", "\t\r\n1"] {
            assert!(shape.matches(text.as_bytes()), "{text}");
        }
        let others = (0..=255_u8).filter(|byte| shape.matches(&[*byte])).count();
        assert_eq!(others, 10 + 11);
        assert!(!shape.matches(b""));

        let blind: Json<Blind> = Json::new();
        let accepts = |datagram: &[u8]| blind.decode(datagram).is_ok();
        assert!(accepts(b"") && blind.shape().matches(b""));
        assert!(Shape::is_any(&blind.shape()));
    }
}
