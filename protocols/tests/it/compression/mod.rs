//! Layers that compress. Tests for all of them are here and in `laws`.

#[cfg(feature = "bzip2")]
mod bzip2;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use std::error::Error;

use datagrammar_protocols::Layer;

use crate::laws::applied;

// P-24
#[test]
fn a_payload_of_the_limit_is_read_and_one_byte_more_is_refused() {
    for (name, with_limit) in layers() {
        for len in [0, 1, 2, 300, 4_096, 65_507, 79_999, 80_000, 200_000] {
            for payload in [vec![b'a'; len], noise(len), b"to ti".repeat(len / 5)] {
                let datagram = applied(&*with_limit(0), &payload);
                let len = payload.len();

                assert!(with_limit(len).undo(&datagram).unwrap() == payload, "{name}, {len}");
                assert!(with_limit(len + 1).undo(&datagram).unwrap() == payload, "{name}, {len}");
                if let Some(less) = len.checked_sub(1) {
                    assert!(with_limit(less).undo(&datagram).is_err(), "{name}, {len}");
                }
            }
        }
    }
}

// P-24
#[test]
fn a_payload_that_inflates_beyond_the_limit_has_its_own_error() {
    for (name, with_limit) in layers() {
        let datagram = applied(&*with_limit(0), &b"to ti".repeat(200));

        let error = with_limit(999).undo(&datagram).expect_err(name);

        assert_eq!(error.to_string(), "the payload exceeds the limit", "{name}");
        assert_eq!(error.source().unwrap().to_string(), "the limit is 999 bytes", "{name}");
    }
}

#[test]
fn a_limit_beyond_all_memory_is_accepted() {
    for (name, with_limit) in layers() {
        let datagram = applied(&*with_limit(0), &[b'a'; 100_000]);

        assert!(with_limit(usize::MAX).undo(&datagram).unwrap() == &[b'a'; 100_000][..], "{name}");
        assert!(with_limit(usize::MAX).undo(b"BZh9 or another hostile one").is_err(), "{name}");
    }
}

#[test]
fn the_empty_datagram_is_refused() {
    for (name, with_limit) in layers() {
        let error = with_limit(4_096).undo(b"").expect_err(name);

        let text = match name {
            "bzip2" => "invalid header of a bzip2 stream",
            "lz4" => "invalid LZ4 block",
            "zlib" => "unexpected end of the zlib stream",
            _ => "wrong magic number of a zstd frame",
        };
        assert_eq!(error.to_string(), text, "{name}");
    }
}

// P-23
#[test]
fn a_second_stream_after_the_first_is_refused() {
    for (name, with_limit) in layers() {
        let layer = with_limit(4_096);
        for second in [applied(&*layer, b""), applied(&*layer, b"{\"data\":42}")] {
            let first = applied(&*layer, b"{\"data\":42}");

            assert!(layer.undo(&[first, second].concat()).is_err(), "{name}");
        }
    }
}

type UpTo = fn(usize) -> Box<dyn Layer>;

fn layers() -> Vec<(&'static str, UpTo)> {
    vec![
        #[cfg(feature = "bzip2")]
        ("bzip2", |limit| Box::new(datagrammar_protocols::Bzip2::with_limit(limit))),
        #[cfg(feature = "lz4")]
        ("lz4", |limit| Box::new(datagrammar_protocols::Lz4::with_limit(limit))),
        #[cfg(feature = "zlib")]
        ("zlib", |limit| Box::new(datagrammar_protocols::Zlib::with_limit(limit))),
        #[cfg(feature = "zstd")]
        ("zstd", |limit| Box::new(datagrammar_protocols::Zstd::with_limit(limit))),
    ]
}

/// Bytes that no layer can compress.
fn noise(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    (0..len).map(|_| random.u8(..)).collect()
}
