//! The zlib layer: its bytes, levels, and the datagrams that are refused.

use std::error::Error;

use datagrammar_protocols::{ErrorKind, Layer, Zlib};

use super::noise;
use crate::{hex, laws::applied};

const ZLIB: Zlib = Zlib::with_limit(4_096);
const D: &[u8] = br#"{"data":42}"#;

// P-29: w15, w16, w17
#[test]
fn the_bytes_are_those_of_the_reference_implementation() {
    let level_9 = hex("78daab564a492c4954b23231aa050015b50377");
    let level_1 = hex("7801ab564a492c4954b23231aa050015b50377");
    let nothing = hex("78da030000000001");

    assert_eq!(applied(&ZLIB.level(9), D), level_9);
    assert_eq!(applied(&ZLIB.level(1), D), level_1);
    assert_eq!(applied(&ZLIB.level(9), b""), nothing);
    assert_eq!(ZLIB.undo(&level_9).unwrap(), D);
    assert_eq!(ZLIB.undo(&level_1).unwrap(), D);
    assert_eq!(ZLIB.undo(&nothing).unwrap(), &b""[..]);
}

// P-23
#[test]
fn every_level_is_written_and_read() {
    for level in 0..=9 {
        for len in [0, 1, 100, 65_000, 200_000] {
            // Level 1 writes nine bits for each of these bytes.
            let rare = noise(len).into_iter().map(|byte| byte % 112 + 144).collect();
            for payload in [vec![0xff; len], noise(len), rare, D.repeat(len / 11)] {
                let datagram = applied(&ZLIB.level(level), &payload);

                assert!(
                    Zlib::with_limit(len).undo(&datagram).unwrap() == payload,
                    "{level}, {len}"
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "level is above 9")]
fn there_is_no_level_10() {
    let _ = ZLIB.level(10);
}

// P-23: the bytes of other libraries may differ.
#[test]
fn streams_with_a_small_window_or_in_several_blocks_are_read() {
    let window_of_512 = hex("18d3ab564a492c4954b23231aa050015b50377");
    let flushed = hex("78daaa564a492c4954b23231aa05000000ffffab564a492c4954b23231aa0500517c06ed");

    for _ in 0..3 {
        assert_eq!(ZLIB.undo(&window_of_512).unwrap(), D);
        assert_eq!(ZLIB.undo(&flushed).unwrap(), D.repeat(2));
    }
}

#[test]
fn other_formats_of_deflate_are_refused() {
    let gzip = hex("1f8b0800000000000203ab564a492c4954b23231aa0500e19f5cff0b000000");
    let raw = hex("ab564a492c4954b23231aa0500");
    let with_dictionary = hex("78f90c7c0294ab86d22646b50015b50377");

    for datagram in [gzip, raw, with_dictionary] {
        let error = ZLIB.undo(&datagram).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Layer);
        assert_eq!(error.to_string(), "invalid zlib stream");
        assert!(error.source().is_some());
    }
}

// P-23
#[test]
fn errors_for_cut_corrupt_and_extended_streams_name_the_problem() {
    let datagram = applied(&ZLIB, D);
    let mut corrupt = datagram.clone();
    *corrupt.last_mut().unwrap() ^= 1;

    let expected = |datagram: &[u8]| ZLIB.undo(datagram).unwrap_err().to_string();

    for len in 0..datagram.len() {
        assert_eq!(expected(&datagram[..len]), "unexpected end of the zlib stream");
    }
    assert_eq!(expected(&corrupt), "invalid zlib stream");
    assert_eq!(expected(&[&datagram[..], b"\0"].concat()), "trailing bytes after the zlib stream");
}

// P-23: two bits of the header contain the level, only for information.
#[test]
fn an_altered_byte_is_refused_or_changes_nothing() {
    let datagram = applied(&ZLIB, D);

    for at in 0..datagram.len() {
        for byte in 0..=u8::MAX {
            let mut altered = datagram.clone();
            altered[at] = byte;
            match ZLIB.undo(&altered) {
                Ok(payload) => assert_eq!(payload, D, "{byte} at {at}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Layer),
            }
        }
    }
}
