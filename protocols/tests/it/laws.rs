//! The rules that every layer keeps.

use std::thread;

use datagrammar_protocols::{ErrorKind, Layer, Prefix, Shape};
use fastrand::Rng;

// P-1
#[test]
fn a_layer_changes_nothing_before_its_start_and_undoes_its_own_changes() {
    for (name, layer) in layers() {
        for payload in payloads() {
            let alone = applied(&*layer, &payload);

            let mut behind = b"before".to_vec();
            behind.extend_from_slice(&payload);
            layer.apply(&mut behind, 6).unwrap();

            assert_eq!(behind, [&b"before"[..], &alone].concat(), "{name}");
            let undone = layer.undo(&alone).unwrap();
            assert!(undone == payload, "{name}, {} bytes", payload.len());
        }
    }
}

// P-10
#[test]
fn layers_nest_in_any_order() {
    let mut layers = layers();
    let mut random = Rng::with_seed(10);
    let payload = b"{\"data\":42} ".repeat(20);

    for _ in 0..50 {
        random.shuffle(&mut layers);
        let mut datagram = b"|".to_vec();
        datagram.extend_from_slice(&payload);

        for (_, layer) in &layers {
            layer.apply(&mut datagram, 1).unwrap();
        }
        let mut bytes = datagram.split_off(1);
        for (_, layer) in layers.iter().rev() {
            bytes = layer.undo(&bytes).unwrap().into_owned();
        }

        assert_eq!(datagram, b"|");
        assert_eq!(bytes, payload);
    }
}

// P-2
#[test]
fn one_byte_more_is_refused() {
    for (name, layer) in layers().into_iter().filter(|&(name, _)| name != "prefix") {
        for payload in payloads() {
            let datagram = applied(&*layer, &payload);

            for byte in [0, b'=', 0xff] {
                let followed = [&datagram[..], &[byte]].concat();
                let error = layer.undo(&followed).expect_err(name);
                assert_eq!(error.kind(), ErrorKind::Layer, "{name}");
            }
        }
    }
}

// P-3
#[test]
fn one_byte_less_is_refused() {
    for (name, layer) in layers().into_iter().filter(|&(name, _)| name != "prefix") {
        for payload in payloads() {
            let datagram = applied(&*layer, &payload);

            if let Some((_, cut)) = datagram.split_last() {
                assert!(layer.undo(cut).is_err(), "{name}, {} bytes", payload.len());
            }
        }
    }
}

// P-5
#[test]
fn bytes_that_are_cut_altered_or_random_never_panic() {
    let mut random = Rng::with_seed(5);

    for (name, layer) in layers() {
        for payload in [&b""[..], b"x", &b"{\"data\":42} ".repeat(20)] {
            let datagram = applied(&*layer, payload);

            for len in 0..datagram.len() {
                is_refused_or_read(name, &*layer, &datagram[..len]);
            }
            for _ in 0..2_000 {
                let mut altered = datagram.clone();
                for _ in 0..random.usize(..4) {
                    let at = random.usize(..altered.len().max(1));
                    altered.get_mut(at).into_iter().for_each(|byte| *byte = random.u8(..));
                }
                altered.truncate(random.usize(..=altered.len() * 4));
                altered.extend((0..random.usize(..2)).map(|_| random.u8(..)));
                is_refused_or_read(name, &*layer, &altered);

                // The first bytes stay, so that the layer recognizes its format; the rest is random.
                let begin = datagram.len().min(random.usize(..12));
                altered.truncate(begin);
                altered.extend((0..random.usize(..64)).map(|_| random.u8(..)));
                is_refused_or_read(name, &*layer, &altered);
            }
        }
    }
}

//
#[test]
fn the_shape_of_a_layer_includes_what_it_writes() {
    for (name, layer) in layers() {
        for payload in payloads() {
            has_shape(name, &*layer, &payload, &applied(&*layer, &payload));
        }
    }
}

// P-6: data of one datagram never affects the next one, not even after errors.
#[test]
fn a_layer_keeps_nothing_between_datagrams() {
    let mut random = Rng::with_seed(6);

    for _ in 0..40 {
        let payload: Vec<u8> = random.choice(payloads()).expect("there are payloads");
        let cut = random.usize(..=64);

        let results = || {
            let each = layers().into_iter().map(|(_, layer)| {
                let datagram = applied(&*layer, &payload);
                let len = datagram.len().saturating_sub(cut);
                let undone = layer.undo(&datagram[..len]).ok().map(|bytes| bytes.into_owned());
                let refused = layer.undo(&[&datagram[..], b"?"].concat()).is_err();
                (datagram, undone, refused)
            });
            each.collect::<Vec<_>>()
        };
        let anew = thread::scope(|scope| scope.spawn(results).join().unwrap());

        assert!(results() == anew, "{} bytes, {cut} cut", payload.len());
    }
}

/// Asserts that a datagram is refused, or that its payload can be written and read again.
fn is_refused_or_read(name: &str, layer: &dyn Layer, datagram: &[u8]) {
    match layer.undo(datagram) {
        Ok(payload) => {
            assert!(payload.len() <= LIMIT, "{name}");
            let written = applied(layer, &payload);
            assert!(layer.undo(&written).unwrap() == payload, "{name}");
            has_shape(name, layer, &payload, datagram);
            has_shape(name, layer, &payload, &written);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Layer, "{name}");
            assert!(TEXTS.contains(&&*error.to_string()), "{error}");
        }
    }
}

/// Asserts that the layer counts on `datagram` if it expects `payload`.
fn has_shape(name: &str, layer: &dyn Layer, payload: &[u8], datagram: &[u8]) {
    let exactly = Shape::prefix(payload).and(Shape::lengths(payload.len()..=payload.len()));
    let first = payload.first().map_or_else(Shape::any, |byte| Shape::prefix([*byte]));

    for expected in [exactly, first, Shape::lengths(payload.len()..), Shape::any()] {
        let shape = layer.shape(&expected);
        assert!(shape.matches(datagram), "{name}: {shape:?} lacks {datagram:?}");
    }
}

pub(crate) fn applied(layer: &dyn Layer, payload: &[u8]) -> Vec<u8> {
    let mut datagram = payload.to_vec();
    layer.apply(&mut datagram, 0).expect("the layer can be applied");
    datagram
}

fn payloads() -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(1);
    let mut payloads = vec![vec![], vec![0], b"{\"data\":42}".to_vec()];
    for len in [1_000, LIMIT] {
        payloads.push(vec![b'a'; len]);
        payloads.push(b"{\"data\":42} ".iter().copied().cycle().take(len).collect());
        payloads.push((0..len).map(|_| random.u8(..)).collect());
    }
    payloads
}

fn layers() -> Vec<(&'static str, Box<dyn Layer>)> {
    vec![
        ("prefix", Box::new(Prefix::new(*b"ours"))),
        #[cfg(feature = "base64")]
        ("base64", Box::new(datagrammar_protocols::Base64::new())),
        #[cfg(feature = "bzip2")]
        ("bzip2", Box::new(datagrammar_protocols::Bzip2::with_limit(LIMIT))),
        #[cfg(feature = "crc32c")]
        ("crc32c", Box::new(datagrammar_protocols::Crc32c)),
        #[cfg(feature = "lz4")]
        ("lz4", Box::new(datagrammar_protocols::Lz4::with_limit(LIMIT))),
        #[cfg(feature = "sha256")]
        ("sha256", Box::new(datagrammar_protocols::Sha256Digest)),
        // Not `Sealed`, because its bytes differ each time; it has its own tests.
        #[cfg(feature = "signed")]
        ("signed", Box::new(datagrammar_protocols::Signed::new(&[7; 32].into()))),
        #[cfg(feature = "zlib")]
        ("zlib", Box::new(datagrammar_protocols::Zlib::with_limit(LIMIT))),
        #[cfg(feature = "zstd")]
        ("zstd", Box::new(datagrammar_protocols::Zstd::with_limit(LIMIT))),
        #[cfg(feature = "zstd")]
        (
            "zstd, known",
            Box::new(datagrammar_protocols::Zstd::with_limit(LIMIT).dictionary(b"{\"data")),
        ),
    ]
}

const LIMIT: usize = 65_000;

/// The error messages of the layers.
const TEXTS: [&str; 18] = [
    "invalid LZ4 block",
    "invalid base64",
    "invalid bzip2 stream",
    "invalid header of a bzip2 stream",
    "invalid zlib stream",
    "invalid zstd frame",
    "the CRC-32C does not match",
    "the SHA-256 digest does not match",
    "the payload exceeds the limit",
    "the signature does not match any accepted key",
    "trailing bytes after the bzip2 stream",
    "trailing bytes after the zlib stream",
    "trailing bytes after the zstd frame",
    "unexpected end of the bzip2 stream",
    "unexpected end of the zlib stream",
    "wrong magic number of a zstd frame",
    "wrong prefix",
    "the datagram is not sealed with any accepted key",
];
