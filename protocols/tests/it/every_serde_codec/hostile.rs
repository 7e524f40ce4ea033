//! Octets that no honest peer sends, beside those of the test kit: almost JSON, and what bincode itself
//! makes of them. From seeds, so that a failure comes back.

use datagrammar_protocols::{Bincode, Cbor, DatagramProtocol, Json, Msgpack, testing::Conformance};
use fastrand::Rng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::shape::Shape;
use crate::encode;

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

        described_hold::<Value>(datagram.as_bytes());
        described_hold::<Shape>(datagram.as_bytes());
        described_hold::<Message>(datagram.as_bytes());
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

// P-25: what another implementation reads, too, is the same packet, and written alike.
#[test]
fn cbor_is_what_the_reference_implementation_reads_and_writes() {
    let mut random = Rng::with_seed(7);
    let written = |packet: &Shape| {
        let mut octets = Vec::new();
        ciborium::into_writer(packet, &mut octets).unwrap();
        octets
    };
    let samples: Vec<_> = Shape::one_of_each().iter().map(written).collect();
    let mut accepted = 0;

    for (packet, sample) in Shape::one_of_each().into_iter().zip(&samples) {
        assert_eq!(&encode(&Cbor::<Shape>::new(), &packet), sample);
    }
    for _ in 0..50_000 {
        let mut datagram = samples[random.usize(..samples.len())].clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..datagram.len());
            datagram[at] = [random.u8(..), datagram[at] ^ 1 << random.u8(..8)][random.usize(..2)];
        }
        // It takes octets for a name, what a list has too much for its neighbour, and no integer for
        // a float.
        let Ok(expected) = ciborium::from_reader::<Shape, _>(&*datagram) else { continue };
        let Ok(read) = Cbor::<Shape>::new().decode(&datagram) else { continue };

        accepted += 1;
        assert_eq!(written(&read), written(&expected), "{datagram:02x?}");
    }
    assert!(accepted > 1_000, "only {accepted} datagrams were packets");
}

/// The formats that describe themselves.
fn described_hold<T: DeserializeOwned + Serialize>(datagram: &[u8]) {
    Conformance::by_octets(Json::<T>::new()).datagram(datagram);
    Conformance::by_octets(Json::<T>::new().ascii()).datagram(datagram);
    Conformance::by_octets(Cbor::<T>::new()).datagram(datagram);
    Conformance::by_octets(Msgpack::<T>::new()).datagram(datagram);
}

#[derive(Deserialize, Serialize)]
struct Message {
    id: u64,
    name: String,
    values: [f64; 8],
}
