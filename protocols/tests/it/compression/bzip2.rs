//! The bzip2 layer: its bytes, levels, and the datagrams that are refused.

use std::error::Error;

use datagrammar_protocols::{Bzip2, ErrorKind, Layer};

use super::noise;
use crate::{hex, laws::applied};

const BZIP2: Bzip2 = Bzip2::with_limit(4_096);
const D: &[u8] = br#"{"data":42}"#;

// P-29: w18, w19
#[test]
fn the_bytes_are_those_of_the_reference_implementation() {
    let data = hex(
        "425a6839314159265359761e83ff0000049980100014102400040a2000220347a420c98842d417cdf8bb9229c28483b0f41ff8",
    );
    let nothing = hex("425a683917724538509000000000");

    assert_eq!(applied(&BZIP2, D), data);
    assert_eq!(applied(&BZIP2, b""), nothing);
    assert_eq!(BZIP2.undo(&data).unwrap(), D);
    assert_eq!(BZIP2.undo(&nothing).unwrap(), &b""[..]);
}

// P-23
#[test]
fn every_level_is_written_and_read() {
    for level in 1..=9 {
        for payload in [vec![], D.to_vec(), D.repeat(7_000), noise(90_000), vec![7; 250_000]] {
            let datagram = applied(&BZIP2.level(level), &payload);

            assert_eq!(datagram[3], b'0' + level);
            assert!(
                Bzip2::with_limit(payload.len()).undo(&datagram).unwrap() == payload,
                "{level}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "level is not 1 to 9")]
fn there_is_no_level_0() {
    let _ = BZIP2.level(0);
}

// The header does not always contain the level that was used to compress.
#[test]
fn a_block_that_fits_gives_the_bytes_of_its_level_for_less_memory() {
    for len in [1, 78_999, 79_000, 157_999, 158_000] {
        for payload in [noise(len), runs_of_four(len)] {
            let datagram = applied(&BZIP2, &payload);

            assert!(datagram == reference(&payload, 9), "{len} bytes");
        }
    }
}

// The decoder uses the block size that the limit requires, not the declared one. A block can hold more coded
// bytes than its payload has.
#[test]
fn a_payload_within_the_limit_is_read_with_every_block_size() {
    for len in [79_999, 80_000, 159_999, 160_000] {
        let payload = runs_of_four(len);
        let datagram = reference(&payload, 9);

        assert!(Bzip2::with_limit(len).undo(&datagram).unwrap() == payload, "{len}");
        assert!(Bzip2::with_limit(len - 1).undo(&datagram).is_err(), "{len}");
    }
}

// P-23
#[test]
fn errors_for_cut_corrupt_and_extended_streams_name_the_problem() {
    let datagram = applied(&BZIP2, D);
    let mut corrupt = datagram.clone();
    corrupt[10] ^= 1; // the checksum of the block

    let error = |datagram: &[u8]| BZIP2.undo(datagram).unwrap_err();

    for len in 0..4 {
        assert_eq!(error(&datagram[..len]).to_string(), "invalid header of a bzip2 stream");
    }
    for len in 4..datagram.len() {
        assert_eq!(error(&datagram[..len]).to_string(), "unexpected end of the bzip2 stream");
    }
    assert_eq!(error(&corrupt).to_string(), "invalid bzip2 stream");
    assert!(error(&corrupt).source().is_some());
    assert_eq!(
        error(&[&datagram[..], b"\0"].concat()).to_string(),
        "trailing bytes after the bzip2 stream"
    );
}

// P-23: the checksum does not cover the level and the last bits, which only fill a byte.
#[test]
fn an_altered_byte_is_refused_or_changes_nothing() {
    let datagram = applied(&BZIP2, D);

    for at in 0..datagram.len() {
        for byte in (0..=u8::MAX).step_by(3).chain(b'0'..=b':') {
            let mut altered = datagram.clone();
            altered[at] = byte;
            match BZIP2.undo(&altered) {
                Ok(payload) => assert_eq!(payload, D, "{byte} at {at}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Layer),
            }
        }
    }
}

/// The worst case for the first step of bzip2: it writes five bytes for every four.
fn runs_of_four(len: usize) -> Vec<u8> {
    noise(len / 4 + 1).into_iter().flat_map(|byte| [byte; 4]).take(len).collect()
}

fn reference(payload: &[u8], level: u32) -> Vec<u8> {
    let mut compress = bzip2::Compress::new(bzip2::Compression::new(level), 0);
    let mut datagram = Vec::with_capacity(payload.len() * 2 + 600);
    let status = compress.compress_vec(payload, &mut datagram, bzip2::Action::Finish);
    assert_eq!(status.unwrap(), bzip2::Status::StreamEnd);
    datagram
}
