//! Bytes that no honest peer sends, in addition to those of the test kit: texts that are almost JSON, and
//! comparisons with the reference implementations. They come from seeds, so that failures can be repeated.

use std::{error::Error, io::Cursor};

use datagrammar_protocols::{
    Bincode, Cbor, DatagramProtocol, Json, Msgpack, Postcard, testing::Conformance,
};
use fastrand::Rng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::shape::Shape;
use crate::{encode, hex};

// P-5, R-5
#[test]
fn random_json_is_refused_or_decodes_to_its_packet() {
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

// P-12: we accept exactly the texts that serde_json accepts, with the same result.
#[test]
fn json_is_read_like_the_reference_implementation() {
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
        "dE00",
        "\\",
        "\\n",
        "0",
        "1",
        "-",
        ".",
        "e",
        "E+",
        "null",
        "true",
        "false",
        " ",
        "\"id\":",
        "\"Unit\"",
        "\"Tuple\":",
        "1e400",
        "18446744073709551616",
        "é",
        "😀",
        "\n",
        "\u{1f}",
        "\"a\":1",
        "12.5e-3",
    ];
    let samples =
        Shape::one_of_each().into_iter().map(|shape| serde_json::to_string(&shape).unwrap());
    let samples: Vec<_> =
        samples.chain(["[1,-2.5,{\"a\":[null,true]},\"\\u00e9\"]".to_owned()]).collect();
    let mut random = Rng::with_seed(11);
    let mut accepted = [0; 2];

    for round in 0..60_000 {
        let text: String = if round % 3 == 0 {
            let len = random.usize(..12);
            std::iter::repeat_with(|| pieces[random.usize(..pieces.len())]).take(len).collect()
        } else {
            let sample = &samples[random.usize(..samples.len())];
            let borders: Vec<_> = sample.char_indices().map(|(at, _)| at).collect();
            let [from, to] = [(); 2].map(|()| borders[random.usize(..borders.len())]);
            let to =
                if random.bool() { from } else { to.clamp(from, (from + 3).min(sample.len())) };
            let to = if sample.is_char_boundary(to) { to } else { from };
            [&sample[..from], pieces[random.usize(..pieces.len())], &sample[to..]].concat()
        };

        let any = Json::<Value>::new().decode(text.as_bytes()).ok();
        let shape = Json::<Shape>::new().decode(text.as_bytes()).ok();

        assert_eq!(any, serde_json::from_str(&text).ok(), "{text}");
        assert_eq!(shape, serde_json::from_str(&text).ok(), "{text}");
        accepted[0] += usize::from(any.is_some());
        accepted[1] += usize::from(shape.is_some());
    }
    assert!(accepted[0] > 5_000 && accepted[1] > 1_000, "only {accepted:?} texts were packets");
}

// P-26, P-2: we accept exactly the datagrams that the crate of the format accepts.
#[test]
fn bincode_is_read_and_written_like_the_reference_implementation_to_the_last_byte() {
    fn agrees<C: bincode::config::Config>(ours: &Bincode<Shape>, config: C, seed: u64) {
        let write = |packet: &Shape| bincode::serde::encode_to_vec(packet, config).unwrap();
        let read = |datagram: &[u8]| {
            let read = bincode::serde::decode_from_slice::<Shape, _>(datagram, config).ok();
            read.and_then(|(packet, consumed)| (consumed == datagram.len()).then_some(packet))
        };
        agrees_with(ours, write, read, seed);
    }

    agrees(&Bincode::new(), bincode::config::standard().with_limit::<1_048_576>(), 6);
    agrees(&Bincode::new().fixed(), bincode::config::legacy().with_limit::<1_048_576>(), 8);
}

#[test]
fn postcard_is_read_and_written_like_the_reference_implementation_to_the_last_byte() {
    let write = |packet: &Shape| postcard::to_extend(packet, Vec::new()).unwrap();
    let read = |datagram: &[u8]| {
        let (packet, left) = postcard::take_from_bytes::<Shape>(datagram).ok()?;
        // From a text for a `char`, postcard reads the first character and ignores the others.
        if let Shape::Tuple(.., char) = packet {
            let text = char.to_string();
            let alone = [&[text.len() as u8], text.as_bytes()].concat();
            return datagram.ends_with(&alone).then_some(packet);
        }
        left.is_empty().then_some(packet)
    };

    agrees_with(&Postcard::new(), write, read, 9);
}

fn agrees_with<P: DatagramProtocol<Incoming = Shape, Outgoing = Shape>>(
    ours: &P,
    write: impl Fn(&Shape) -> Vec<u8>,
    read: impl Fn(&[u8]) -> Option<Shape>,
    seed: u64,
) {
    let mut random = Rng::with_seed(seed);
    let samples: Vec<_> = Shape::one_of_each().iter().map(&write).collect();
    for (packet, sample) in Shape::one_of_each().iter().zip(&samples) {
        assert_eq!(&encode(ours, packet), sample);
    }
    let mut accepted = 0;

    for round in 0..60_000 {
        let datagram = if round % 2 == 0 {
            let len = random.usize(..12);
            std::iter::repeat_with(|| random.u8(..12)).take(len).collect()
        } else {
            let mut sample = samples[random.usize(..samples.len())].clone();
            let at = random.usize(..sample.len());
            sample[at] = random.u8(..);
            sample
        };

        let expected = read(&datagram).as_ref().map(&write);

        accepted += usize::from(expected.is_some());
        assert_eq!(ours.decode(&datagram).ok().as_ref().map(&write), expected, "{datagram:02x?}");
    }
    assert!(accepted > 100, "only {accepted} datagrams were packets");
}

// P-25: if another implementation accepts a datagram too, the packet and its encoding are the same.
#[test]
fn cbor_is_read_and_written_like_the_reference_implementation() {
    let write = |packet: &Shape| {
        let mut bytes = Vec::new();
        ciborium::into_writer(packet, &mut bytes).unwrap();
        bytes
    };

    let read = |datagram: &[u8]| {
        let mut unread = datagram;
        let packet = ciborium::from_reader(&mut unread).ok()?;
        Some((packet, unread.is_empty()))
    };

    agrees_where_both_read(&Cbor::new(), write, read, 7);
}

// P-25
#[test]
fn msgpack_is_read_and_written_like_the_reference_implementation() {
    let write = |packet: &Shape| rmp_serde::to_vec_named(packet).unwrap();

    let read = |datagram: &[u8]| {
        let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(datagram));
        let packet = Shape::deserialize(&mut deserializer).ok()?;
        Some((packet, deserializer.position() == datagram.len() as u64))
    };

    agrees_where_both_read(&Msgpack::new(), write, read, 10);
}

/// The crates accept less than we do, for example no whole floats for integers. They accept more only if the
/// packet would differ from the one that was sent.
fn agrees_where_both_read<P: DatagramProtocol<Incoming = Shape, Outgoing = Shape>>(
    ours: &P,
    write: impl Fn(&Shape) -> Vec<u8>,
    read: impl Fn(&[u8]) -> Option<(Shape, bool)>,
    seed: u64,
) {
    let mut random = Rng::with_seed(seed);
    let samples: Vec<_> = Shape::one_of_each().iter().map(&write).collect();
    for (packet, sample) in Shape::one_of_each().iter().zip(&samples) {
        assert_eq!(&encode(ours, packet), sample);
    }
    let mut accepted = 0;

    for _ in 0..50_000 {
        let mut datagram = samples[random.usize(..samples.len())].clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..datagram.len());
            datagram[at] = [random.u8(..), datagram[at] ^ 1 << random.u8(..8)][random.usize(..2)];
        }
        let Some((expected, to_the_end)) = read(&datagram) else { continue };
        match ours.decode(&datagram) {
            Ok(found) => {
                accepted += 1;
                assert_eq!(write(&found), write(&expected), "{datagram:02x?}");
            }
            Err(error) => {
                let source = error.source().map(ToString::to_string).unwrap_or_default();
                let rightly = REFUSED_RIGHTLY.iter().any(|reason| source.contains(reason));
                assert!(rightly || !to_the_end, "{source}: {datagram:02x?}");
            }
        }
    }
    assert!(accepted > 1_000, "only {accepted} datagrams were packets");
}

/// Our errors in cases in which the crates read a value as the next one, drop it, or change a number.
const REFUSED_RIGHTLY: [&str; 7] = [
    "more elements than the type has",
    "declared length exceeds the datagram",
    "invalid length",
    "the variant has no content", // ciborium takes the next value if there is a tag
    "the variant has content",
    "a big integer has no bytes", // ciborium skips tags 2 and 3
    "expected u128",              // rmp-serde converts a negative number
];

/// Checks the self-describing formats.
fn described_hold<T: DeserializeOwned + Serialize>(datagram: &[u8]) {
    Conformance::by_bytes(Json::<T>::new()).datagram(datagram);
    Conformance::by_bytes(Json::<T>::new().ascii()).datagram(datagram);
    Conformance::by_bytes(Cbor::<T>::new()).datagram(datagram);
    Conformance::by_bytes(Msgpack::<T>::new()).datagram(datagram);
}

#[derive(Deserialize, Serialize)]
struct Message {
    id: u64,
    name: String,
    values: [f64; 8],
}

// P-5
#[test]
fn a_type_that_accepts_errors_as_values_does_not_loop_forever() {
    /// Accepts anything, even a value that cannot be read.
    struct Whatever;

    impl<'de> Deserialize<'de> for Whatever {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            drop(u8::deserialize(deserializer));
            Ok(Self)
        }
    }

    for datagram in ["9f", "9f01", "9f9f", "bf", "bf01", "9f5f41"] {
        let datagram = hex(datagram);
        assert!(Cbor::<Vec<Whatever>, ()>::new().decode(&datagram).is_err(), "{datagram:x?}");
        assert!(Cbor::<Vec<Vec<Whatever>>, ()>::new().decode(&datagram).is_err(), "{datagram:x?}");
    }
    for datagram in [&b"["[..], b"[1", b"[1,", b"[[", b"{\"a\":", b"[x"] {
        assert!(Json::<Vec<Whatever>, ()>::new().decode(datagram).is_err(), "{datagram:?}");
    }
    for datagram in ["95", "9501", "dd0000ffff"] {
        let datagram = hex(datagram);
        assert!(Msgpack::<Vec<Whatever>, ()>::new().decode(&datagram).is_err(), "{datagram:x?}");
    }
}
