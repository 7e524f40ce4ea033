//! Numbers beyond the range of their type: they are refused, and never become infinity, even if serde keeps a
//! copy.

use std::{collections::BTreeMap, fmt::Debug};

use datagrammar_protocols::{Cbor, DatagramProtocol, DecodeError, Json, Msgpack};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{encode, hex};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Plain<F> {
    f: F,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "t")]
enum Tagged<F> {
    A { f: F },
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "t", content = "c")]
enum Beside<F> {
    A(F),
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Flat<F> {
    #[serde(flatten)]
    inner: Plain<F>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct FlatMap<F> {
    #[serde(flatten)]
    inner: BTreeMap<String, F>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Untagged<F> {
    A { f: F },
    B(u8),
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Newtype<F>(F);

const BEYOND: [f64; 4] = [1e39, -1e39, f64::MAX, f64::MIN];

// P-12
#[test]
fn a_number_beyond_a_single_float_is_refused_under_every_attribute() {
    for number in BEYOND {
        is_for_doubles_only::<f64, f32>(&number);
        is_for_doubles_only::<Option<f64>, Option<f32>>(&Some(number));
        is_for_doubles_only::<Newtype<f64>, Newtype<f32>>(&Newtype(number));
        is_for_doubles_only::<Vec<f64>, Vec<f32>>(&vec![0.5, number]);
        is_for_doubles_only::<Vec<f64>, Vec<f32>>(&vec![number; 100]);
        is_for_doubles_only::<(f64, f64), (f64, f32)>(&(number, number));
        is_for_doubles_only::<Tagged<f64>, Tagged<f32>>(&Tagged::A { f: number });
        is_for_doubles_only::<Untagged<f64>, Untagged<f32>>(&Untagged::A { f: number });
    }
}

/// Asserts that `packet` comes back as type `D` under every attribute, and is refused as type `S`.
#[track_caller]
fn is_for_doubles_only<D, S>(packet: &D)
where
    D: Debug + DeserializeOwned + PartialEq + Serialize,
    S: DeserializeOwned,
{
    let beside = |packet| BTreeMap::from([("c", json!(packet)), ("t", json!("A"))]);

    alone::<D, S>(packet);
    alone::<Plain<D>, Plain<S>>(&Plain { f: clone(packet) });
    alone::<Tagged<D>, Tagged<S>>(&Tagged::A { f: clone(packet) });
    alone::<Beside<D>, Beside<S>>(&Beside::A(clone(packet)));
    alone::<Flat<D>, Flat<S>>(&Flat { inner: Plain { f: clone(packet) } });
    alone::<FlatMap<D>, FlatMap<S>>(&FlatMap {
        inner: BTreeMap::from([("a".to_owned(), clone(packet))]),
    });
    alone::<Untagged<D>, Untagged<S>>(&Untagged::A { f: clone(packet) });
    // If the content comes before the tag, serde keeps a copy.
    for read in read::<Beside<D>>(&beside(packet)) {
        assert_eq!(read.unwrap(), Beside::A(clone(packet)));
    }
    for read in read::<Beside<S>>(&beside(packet)) {
        assert!(read.is_err());
    }
}

#[track_caller]
fn alone<D, S>(packet: &D)
where
    D: Debug + DeserializeOwned + PartialEq + Serialize,
    S: DeserializeOwned,
{
    for read in read::<D>(packet) {
        assert_eq!(&read.unwrap(), packet);
    }
    for (codec, read) in ["JSON", "CBOR", "MessagePack"].iter().zip(read::<S>(packet)) {
        assert!(read.is_err(), "{codec}: {packet:?} was read as {}", std::any::type_name::<S>());
    }
}

fn clone<T: DeserializeOwned + Serialize>(packet: &T) -> T {
    serde_json::from_value(json!(packet)).unwrap()
}

/// Writes the packet in each self-describing format, and reads it.
fn read<T: DeserializeOwned>(packet: &impl Serialize) -> [Result<T, DecodeError>; 3] {
    [
        Json::<T, ()>::new().decode(&encode(&Json::<(), _>::new(), packet)),
        Cbor::<T, ()>::new().decode(&encode(&Cbor::<(), _>::new(), packet)),
        Msgpack::<T, ()>::new().decode(&encode(&Msgpack::<(), _>::new(), packet)),
    ]
}

#[test]
fn a_number_that_rounds_to_the_greatest_single_float_is_read() {
    let number = 3.402_823_5e38;

    for read in read::<Tagged<f32>>(&Tagged::A { f: number }) {
        assert_eq!(read.unwrap(), Tagged::A { f: f32::MAX });
    }
    for read in read::<f32>(&number) {
        assert_eq!(read.unwrap(), f32::MAX);
    }
}

// P-4: an infinity that was sent is received as infinity.
#[test]
fn infinity_is_read_from_binary_formats() {
    let infinity = Tagged::A { f: f64::INFINITY };

    for read in &read::<Tagged<f32>>(&infinity)[1..] {
        assert_eq!(read.as_ref().unwrap(), &Tagged::A { f: f32::INFINITY });
    }
}

#[test]
fn integers_beyond_a_single_float_are_refused() {
    let number = format!("1{}", "0".repeat(39));
    let cbor = [hex("c2 50"), vec![0xff; 16]].concat(); // 2^128 - 1, which rounds to 2^128
    let negative = [hex("c3 50"), vec![0xff; 16]].concat();

    assert!(Json::<f32>::new().decode(number.as_bytes()).is_err());
    assert!(Json::<Untagged<f32>>::new().decode(format!("{{\"f\":{number}}}").as_bytes()).is_err());
    assert!(Cbor::<f32>::new().decode(&cbor).is_err());
    assert!(Cbor::<f32>::new().decode(&negative).is_err());
    assert_eq!(Cbor::<f64>::new().decode(&cbor).unwrap(), 2_f64.powi(128));
    assert!(Json::<Tagged<i8>>::new().decode(br#"{"t":"A","f":128}"#).is_err());
    assert!(Json::<Tagged<u64>>::new().decode(br#"{"t":"A","f":18446744073709551616}"#).is_err());
}

#[test]
fn each_of_several_numbers_is_checked() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code)]
    #[serde(tag = "t")]
    enum Mixed {
        A { a: f64, b: Option<f64>, c: Value, d: f32 },
    }
    let packet = |d| json!({"t": "A", "a": 1e300, "b": 1e301, "c": [1e302, -1e303], "d": d});

    for read in read::<Mixed>(&packet(1.5)) {
        read.unwrap();
    }
    for read in read::<Mixed>(&packet(1e39)) {
        assert!(read.is_err());
    }
}

// P-4: a packet may contain any number of them.
#[test]
fn any_number_of_doubles_beyond_a_single_float_come_back() {
    let packet = Tagged::A { f: vec![f64::MAX; 1_000] };

    for read in read::<Tagged<Vec<f64>>>(&packet) {
        assert_eq!(read.unwrap(), packet);
    }
    for read in read::<Value>(&json!(packet)) {
        assert_eq!(read.unwrap(), json!(packet));
    }
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Either<A, B, C = u8> {
    First { f: A },
    Second { f: B },
    Third { f: A, more: C },
}

// P-4: as always, the first variant that fits is used.
#[test]
fn a_variant_that_accepts_the_number_before_one_that_cannot_is_used() {
    let packet = Plain { f: 1e300 };

    for read in read::<Either<f64, f32>>(&packet) {
        assert_eq!(read.unwrap(), Either::First { f: 1e300 });
    }
    for read in read::<Either<String, f64>>(&packet) {
        assert_eq!(read.unwrap(), Either::Second { f: 1e300 });
    }
    for read in read::<Either<Value, f32>>(&packet) {
        assert_eq!(read.unwrap(), Either::First { f: json!(1e300) });
    }
}

// Otherwise the first variant would contain infinity.
#[test]
fn a_variant_that_cannot_take_the_number_is_refused_even_before_one_that_could() {
    let packet = Plain { f: 1e300 };

    for read in read::<Either<f32, f64>>(&packet) {
        assert!(read.is_err());
    }
    for read in read::<Either<String, f32>>(&packet) {
        assert!(read.is_err());
    }
}

// P-6: nothing is left that affects another datagram on the same thread.
#[test]
fn a_panic_while_a_datagram_is_read_again_leaves_no_trace() {
    use std::{cell::Cell, panic};

    thread_local! {
        static READ: Cell<usize> = const { Cell::new(0) };
    }

    #[derive(Debug)]
    struct PanicsLater;

    impl<'de> Deserialize<'de> for PanicsLater {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            READ.set(READ.get() + 1);
            assert!(READ.get() == 1, "read again");
            f64::deserialize(deserializer).map(|_| Self)
        }
    }
    let datagram = br#"{"t":"A","f":1e39}"#;

    let read = panic::catch_unwind(|| Json::<Tagged<PanicsLater>, ()>::new().decode(datagram));

    assert!(read.is_err());
    assert_eq!(Json::<Tagged<f64>>::new().decode(datagram).unwrap(), Tagged::A { f: 1e39 });
    assert!(Json::<Tagged<f32>>::new().decode(datagram).is_err());
}
