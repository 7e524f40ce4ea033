//! Every codec of serde types returns the packet that was sent.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    net::Ipv4Addr,
};

use bytes::Bytes;
use datagrammar_protocols::{Bincode, Cbor, DatagramProtocol, Json, Msgpack, Postcard, Raw, Text};
use serde::{Serialize, de::DeserializeOwned};

use super::shape::Shape;
use crate::encode;

// P-4
#[test]
fn integers_come_back() {
    for number in [i64::MIN, i64::MIN + 1, -65_537, -129, -1, 0, 1, 250, 251, i64::MAX] {
        comes_back(&number);
    }
    for number in [0, 250, 251, 65_535, 65_536, 4_294_967_296, u64::MAX] {
        comes_back(&number);
    }
    comes_back(&(i8::MIN, i16::MIN, i32::MIN, i128::MIN, i128::MAX));
    comes_back(&(u8::MAX, u16::MAX, u32::MAX, u128::MAX));
}

// P-4
#[test]
fn finite_floats_come_back_to_the_bit() {
    let mut random = fastrand::Rng::with_seed(4);
    let chosen = [0.0, -0.0, 0.1, 1e16, 1e-7, 5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN];
    let drawn = std::iter::repeat_with(|| f64::from_bits(random.u64(..))).take(5_000);

    for float in drawn.filter(|float| float.is_finite()).chain(chosen) {
        for came_back in round_trips(&float) {
            assert_eq!(came_back.to_bits(), float.to_bits());
        }
    }
}

// P-4
#[test]
fn finite_single_floats_come_back_to_the_bit() {
    let mut random = fastrand::Rng::with_seed(5);
    let drawn = std::iter::repeat_with(|| f32::from_bits(random.u32(..))).take(5_000);

    for float in drawn.filter(|float| float.is_finite()).chain([0.0, -0.0, f32::MIN, f32::MAX]) {
        for came_back in round_trips(&float) {
            assert_eq!(came_back.to_bits(), float.to_bits());
        }
    }
}

// P-4
#[test]
fn infinities_and_nan_come_back_from_binary() {
    for float in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        for protocol in binary() {
            let came_back = protocol.decode(&encode(&protocol, &float)).unwrap();

            assert_eq!(came_back.to_bits(), float.to_bits());
        }
    }
}

// P-4
#[test]
fn text_comes_back() {
    for text in ["", "hello", "é€😀", "\\", "\"", "\0\u{1f}\u{7f}", "\u{feff}", "line\r\n"] {
        let packet = text.to_owned();

        comes_back(&packet);
        assert_eq!(Text.decode(&encode(&Text, &packet)).unwrap(), packet);
    }
    comes_back(&['a', 'é', '€', '😀', '\0', char::MAX]);
}

// P-4
#[test]
fn bytes_come_back() {
    let every_byte = Bytes::from_iter(0..=u8::MAX);

    assert_eq!(Raw.decode(&encode(&Raw, &every_byte)).unwrap(), every_byte);
    comes_back(&every_byte.to_vec());
}

// P-4
#[test]
fn booleans_options_and_collections_come_back() {
    comes_back(&(true, false, (), None::<u8>, Some(0_u8), Some(Some("x".to_owned()))));
    comes_back(&Vec::<u8>::new());
    comes_back(&vec![vec![], vec![1_u8], vec![2, 3]]);
    comes_back(&BTreeMap::<String, u8>::new());
    comes_back(&HashMap::from([(1_u8, vec![Some("one".to_owned()), None]), (2, vec![])]));
    comes_back(&[[0.5_f64; 3]; 2]);
}

// P-4: the binary codecs accept every shape of type that serde has.
#[test]
fn every_shape_of_type_comes_back() {
    for shape in Shape::one_of_each() {
        comes_back(&shape);
    }
}

// P-4
#[test]
fn types_with_another_form_for_machines_come_back() {
    let bincode: Bincode<Ipv4Addr> = Bincode::new();

    let datagram = encode(&bincode, &Ipv4Addr::LOCALHOST);

    assert_eq!(datagram, [127, 0, 0, 1]);
    comes_back(&Ipv4Addr::LOCALHOST);
}

// P-4
#[test]
fn a_document_of_7_kib_comes_back() {
    let document: BTreeMap<String, Vec<Shape>> =
        (0..40).map(|number| (format!("entry {number}"), Shape::one_of_each())).collect();

    assert!(encode(&Json::<(), _>::new(), &document).len() > 7_680);
    comes_back(&document);
}

// P-25: bytes that look like the start of an indefinite length in CBOR have no effect.
#[test]
fn in_cbor_every_packet_has_one_form() {
    for shape in Shape::one_of_each() {
        let alone = encode(&Cbor::<Shape>::new(), &shape);

        for suspicious in [159_u8, 191] {
            let beside = encode(&Cbor::<(), _>::new(), &(suspicious, &shape));

            assert_eq!(beside, [&[0x82, 0x18, suspicious][..], &alone].concat());
        }
    }
}

#[track_caller]
fn comes_back<T: Debug + DeserializeOwned + PartialEq + Serialize + 'static>(packet: &T) {
    for came_back in round_trips(packet) {
        assert_eq!(&came_back, packet);
    }
}

fn round_trips<T: DeserializeOwned + Serialize + 'static>(packet: &T) -> Vec<T> {
    let json: [Box<Protocol<T>>; 2] = [Box::new(Json::new()), Box::new(Json::new().ascii())];

    let decoded = |protocol: Box<Protocol<T>>| protocol.decode(&encode(&protocol, packet)).unwrap();
    json.into_iter().chain(binary()).map(decoded).collect()
}

fn binary<T: DeserializeOwned + Serialize + 'static>() -> [Box<Protocol<T>>; 5] {
    [
        Box::new(Bincode::new()),
        Box::new(Bincode::new().fixed()),
        Box::new(Cbor::new()),
        Box::new(Msgpack::new()),
        Box::new(Postcard::new()),
    ]
}

type Protocol<T> = dyn DatagramProtocol<Incoming = T, Outgoing = T>;
