//! Octets that no honest peer sends: random ones, cut ones, altered ones, from seeds so that a
//! failure comes back.

use std::{collections::BTreeMap, error::Error, ffi::CString};

use bytes::Bytes;
use datagrammar_protocols::{Bincode, Cbor, DatagramProtocol, Json, Msgpack, Postcard, Raw, Text};
use fastrand::Rng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::shape::Shape;
use crate::encode;

// P-5, R-5
#[test]
fn random_octets_are_refused_or_are_the_packet_they_stand_for() {
    let mut random = Rng::with_seed(1);

    for _ in 0..5_000 {
        let len = random.usize(..64);
        let datagram: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(len).collect();

        every_protocol_holds(&datagram);
    }
}

// P-5, R-5
#[test]
fn small_octets_are_refused_or_are_the_packet_they_stand_for() {
    let mut random = Rng::with_seed(2);

    for _ in 0..5_000 {
        let len = random.usize(..64);
        let datagram: Vec<u8> = std::iter::repeat_with(|| random.u8(..16)).take(len).collect();

        every_protocol_holds(&datagram);
    }
}

// P-5, R-5
#[test]
fn random_json_is_refused_or_is_the_packet_it_stands_for() {
    let pieces = [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\\u",
        "d83d",
        "\\",
        "0",
        "1",
        "-",
        ".",
        "e",
        "null",
        "true",
        " ",
        "\"id\"",
        "\"Unit\"",
        "\"Many\"",
        "\"Tuple\"",
        "1e400",
        "é",
        "😀",
        "\n",
    ];
    let mut random = Rng::with_seed(3);

    for _ in 0..5_000 {
        let len = random.usize(..24);
        let datagram: String =
            std::iter::repeat_with(|| pieces[random.usize(..pieces.len())]).take(len).collect();

        every_protocol_holds(datagram.as_bytes());
    }
}

// P-5, R-5
#[test]
fn a_datagram_cut_anywhere_is_refused_or_is_the_packet_it_stands_for() {
    for datagram in honest_datagrams() {
        for len in 0..datagram.len() {
            every_protocol_holds(&datagram[..len]);
        }
    }
}

// P-5, R-5
#[test]
fn a_datagram_with_one_octet_altered_is_refused_or_is_the_packet_it_stands_for() {
    for datagram in honest_datagrams() {
        for at in 0..datagram.len() {
            let mut altered = datagram.clone();

            // At each place one octet of eight, at its neighbours others.
            for octet in (0..=u8::MAX).skip(at % 8).step_by(8) {
                altered[at] = octet;
                every_protocol_holds(&altered);
            }
        }
    }
}

// P-26, P-2: the guard refuses nothing that the format accepts, and accepts nothing that it
// refuses.
#[test]
fn bincode_decodes_what_the_reference_implementation_decodes_to_the_last_octet() {
    let mut random = Rng::with_seed(6);
    let reference = |datagram: &[u8]| {
        let config = bincode::config::standard().with_limit::<1_048_576>();
        bincode::serde::decode_from_slice::<Shape, _>(datagram, config)
            .ok()
            .and_then(|(packet, consumed)| (consumed == datagram.len()).then_some(packet))
    };
    let ours = |datagram: &[u8]| Bincode::<Shape>::new().decode(datagram).ok();
    let octets = |packet: Shape| encode(&Bincode::<Shape>::new(), &packet);
    let mut accepted = 0;

    for _ in 0..50_000 {
        let len = random.usize(..12);
        let datagram: Vec<u8> = std::iter::repeat_with(|| random.u8(..12)).take(len).collect();

        let expected = reference(&datagram).map(octets);

        accepted += usize::from(expected.is_some());
        assert_eq!(ours(&datagram).map(octets), expected, "{datagram:?}");
    }
    assert!(accepted > 100, "only {accepted} datagrams were packets");
}

fn every_protocol_holds(datagram: &[u8]) {
    holds(&Raw, datagram);
    holds(&Text, datagram);
    described_hold::<Value>(datagram);
    described_hold::<Shape>(datagram);
    described_hold::<Message>(datagram);
    packed_hold::<Shape>(datagram);
    packed_hold::<Message>(datagram);
    packed_hold::<Vec<()>>(datagram);
    packed_hold::<Vec<Option<Box<[u64; 32]>>>>(datagram);
    packed_hold::<BTreeMap<CString, Vec<char>>>(datagram);
}

/// The formats that describe themselves.
fn described_hold<T: DeserializeOwned + Serialize>(datagram: &[u8]) {
    holds(&Json::<T>::new(), datagram);
    holds(&Json::<T>::new().ascii(), datagram);
    holds(&Cbor::<T>::new(), datagram);
    holds(&Msgpack::<T>::new(), datagram);
}

/// The formats that only the type describes.
fn packed_hold<T: DeserializeOwned + Serialize>(datagram: &[u8]) {
    holds(&Bincode::<T>::new(), datagram);
    holds(&Bincode::<T>::new().fixed(), datagram);
    holds(&Postcard::<T>::new(), datagram);
}

/// Whatever is decoded is written in one way, and that way reads as the same packet.
fn holds<T>(protocol: &impl DatagramProtocol<Incoming = T, Outgoing = T>, datagram: &[u8]) {
    match protocol.decode(datagram) {
        Ok(packet) => {
            let written = encode(protocol, &packet);
            let read = protocol.decode(&written).expect("what we write we read");
            assert_eq!(encode(protocol, &read), written);
        }
        Err(error) => {
            assert!(error.to_string().ends_with(" expected"), "{error}");
            assert!(error.source().is_none_or(|source| !source.to_string().is_empty()));
        }
    }
}

fn honest_datagrams() -> Vec<Vec<u8>> {
    let message = Message { id: 7, name: "né".to_owned(), values: [0.1; 8] };
    let mut datagrams = vec![
        encode(&Raw, &Bytes::from_static(b"hello")),
        encode(&Text, &"é€😀".to_owned()),
        encode(&Json::<Message>::new(), &message),
        encode(&Bincode::<Message>::new(), &message),
        encode(&Cbor::<Message>::new(), &message),
        encode(&Msgpack::<Message>::new(), &message),
        encode(&Postcard::<Message>::new(), &message),
    ];
    for shape in Shape::one_of_each() {
        datagrams.push(encode(&Json::<Shape>::new(), &shape));
        datagrams.push(encode(&Json::<Shape>::new().ascii(), &shape));
        datagrams.push(encode(&Bincode::<Shape>::new(), &shape));
        datagrams.push(encode(&Bincode::<Shape>::new().fixed(), &shape));
        datagrams.push(encode(&Cbor::<Shape>::new(), &shape));
        datagrams.push(encode(&Msgpack::<Shape>::new(), &shape));
        datagrams.push(encode(&Postcard::<Shape>::new(), &shape));
    }
    datagrams
}

#[derive(Deserialize, Serialize)]
struct Message {
    id: u64,
    name: String,
    values: [f64; 8],
}
