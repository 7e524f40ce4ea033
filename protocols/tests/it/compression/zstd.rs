//! The zstd layer: its bytes, levels, dictionaries, and the datagrams that are refused.

use std::error::Error;

use datagrammar_protocols::{ErrorKind, Layer, Zstd};

use super::noise;
use crate::{hex, laws::applied};

const ZSTD: Zstd = Zstd::with_limit(4_096);
const D: &[u8] = br#"{"data":42}"#;

// RFC 8878, section 3.1.1: magic number, a descriptor (single segment, one byte of size), the
// size, a last block of 11 raw bytes.
const FRAME: &str = "28b52ffd 20 0b 590000 7b2264617461223a34327d";

#[test]
fn a_datagram_is_a_frame() {
    assert_eq!(applied(&ZSTD, D), hex(FRAME));
    assert_eq!(applied(&ZSTD, b""), hex("28b52ffd 20 00 010000"));
    assert_eq!(ZSTD.undo(&hex(FRAME)).unwrap(), D);
    assert_eq!(ZSTD.undo(&hex("28b52ffd 20 00 010000")).unwrap(), &b""[..]);
}

#[test]
fn every_level_is_written_and_read() {
    for level in [-7, -1, 1, 3, 9, 19, 22] {
        for payload in [vec![], D.to_vec(), noise(65_000), D.repeat(6_000), vec![7; 65_000]] {
            let layer = Zstd::with_limit(payload.len()).level(level);

            assert!(layer.undo(&applied(&layer, &payload)).unwrap() == payload, "{level}");
        }
    }
}

#[test]
#[should_panic(expected = "level is 23, not -7 to 22")]
fn there_is_no_level_23() {
    let _ = ZSTD.level(23);
}

#[test]
fn a_frame_without_its_size_or_with_a_checksum_is_read() {
    let without_size = hex("28b52ffd 00 58 590000 7b2264617461223a34327d");
    let by_the_program = hex("28b52ffd 04 58 590000 7b2264617461223a34327d d4dc7a73");
    let with_checksum = hex("28b52ffd 24 0b 590000 7b2264617461223a34327d d4dc7a73");

    assert_eq!(ZSTD.undo(&without_size).unwrap(), D);
    assert_eq!(ZSTD.undo(&by_the_program).unwrap(), D);
    assert_eq!(ZSTD.undo(&with_checksum).unwrap(), D);
    for at in 9..with_checksum.len() {
        let mut altered = with_checksum.clone();
        altered[at] ^= 1;
        assert!(ZSTD.undo(&altered).is_err());
    }
}

// P-5: the size that a datagram declares is checked.
#[test]
fn a_declared_size_is_refused_if_it_is_not_true() {
    let of_many_exabytes = hex("28b52ffd e0 0b000000000000f0 590000 7b2264617461223a34327d");
    let of_12 = hex("28b52ffd 20 0c 590000 7b2264617461223a34327d");
    let of_10 = hex("28b52ffd 20 0a 590000 7b2264617461223a34327d");

    for datagram in [of_many_exabytes, of_12, of_10] {
        assert!(ZSTD.undo(&datagram).is_err());
        assert!(Zstd::with_limit(usize::MAX).undo(&datagram).is_err());
    }
}

#[test]
fn a_declared_window_costs_nothing() {
    let of_1_gib = hex("28b52ffd 00 a0 590000 7b2264617461223a34327d");
    let of_2_tib = hex("28b52ffd 00 f8 590000 7b2264617461223a34327d");

    assert_eq!(ZSTD.undo(&of_1_gib).unwrap(), D);
    assert!(ZSTD.undo(&of_2_tib).is_err()); // more than zstd supports
}

#[test]
fn anything_but_one_frame_is_refused() {
    let skippable = hex("502a4d18 02000000 0000");
    let legacy = hex("27b52ffd 00000000");
    let frame = hex(FRAME);

    for datagram in [
        skippable.clone(),
        [&skippable[..], &frame].concat(),
        [&frame[..], &skippable].concat(),
        [&frame[..], &frame].concat(),
        [&frame[..], b"\0"].concat(),
        legacy,
        D.to_vec(),
    ] {
        let error = ZSTD.undo(&datagram).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Layer);
    }
}

#[test]
fn a_frame_is_refused_wherever_it_is_cut() {
    let datagram = applied(&ZSTD, &D.repeat(20));

    for len in 4..datagram.len() {
        let error = ZSTD.undo(&datagram[..len]).unwrap_err();

        assert_eq!(error.to_string(), "invalid zstd frame");
        assert!(error.source().is_some());
    }
}

#[test]
fn a_dictionary_makes_small_datagrams_smaller() {
    let known = ZSTD.dictionary(br#"{"sensor":"kitchen","data":21}"#);
    let packet = br#"{"sensor":"cellar","data":42}"#;

    let datagram = applied(&known, packet);

    assert!(datagram.len() < packet.len(), "{} bytes", datagram.len());
    assert!(packet.len() < applied(&ZSTD, packet).len());
    assert_eq!(known.undo(&datagram).unwrap(), &packet[..]);
    assert_eq!(known.clone().level(19).undo(&datagram).unwrap(), &packet[..]);
    assert!(ZSTD.undo(&datagram).is_err());
    assert_eq!(known.undo(&hex(FRAME)).unwrap(), D); // a frame that needs no dictionary
}

#[test]
fn level_and_dictionary_can_be_set_in_any_order() {
    let bytes = br#"{"sensor":"kitchen","data":21}"#;
    let (first, last) = (ZSTD.dictionary(bytes).level(9), ZSTD.level(9).dictionary(bytes));

    assert_eq!(applied(&first, D), applied(&last, D));
    assert_eq!(first.undo(&applied(&last, D)).unwrap(), D);
}

#[test]
fn a_trained_dictionary_is_distinguished_from_others() {
    let one = ZSTD.dictionary(&trained(7));
    let other = ZSTD.dictionary(&trained(8));

    let datagram = applied(&one, D);

    assert_eq!(one.undo(&datagram).unwrap(), D);
    assert!(other.undo(&datagram).is_err());
    assert!(ZSTD.undo(&datagram).is_err());
}

#[test]
#[should_panic(expected = "invalid zstd dictionary")]
fn a_broken_dictionary_is_refused_when_it_is_set() {
    let _ = ZSTD.dictionary(&trained(7)[..20]);
}

/// A dictionary of 256 bytes like those of `zstd --train`, with our own number.
fn trained(number: u8) -> Vec<u8> {
    let mut dictionary = hex("\
         37a430ec070000001e10d84be90cc3300c834f499228444a29a594697b9da0d6d6d6d6d6d6b605c3 \
         0100009e4eb1d800000004000000008020133c6c033c00804a566919300000000890011000000000 \
         00000000947476fa9000000000000000000000000000000100000004000000080000002e302c2264 \
         617461223a39357d7b2273656e736f72223a226174746963222c2263656c73697573223a362e312c \
         22646174612264617461223a36347d7b2273656e736f72223a226174746963222c2263656c736975 \
         73223a332e382c2264617461223a31223a32367d7b2273656e736f72223a226b69746368656e222c \
         2263656c73697573223a2d342e342c22 \
         ");
    dictionary[4] = number;
    dictionary
}
