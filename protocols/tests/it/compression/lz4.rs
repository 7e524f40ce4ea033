//! The LZ4 layer: its bytes, and the datagrams that are refused.

use std::error::Error;

use datagrammar_protocols::{ErrorKind, Layer, Lz4};

use crate::{hex, laws::applied};

const LZ4: Lz4 = Lz4::with_limit(4_096);

#[test]
fn a_datagram_is_one_block_and_nothing_else() {
    let literals = hex("b0 7b2264617461223a34327d"); // a token: eleven literals
    let nothing = hex("00");

    assert_eq!(applied(&LZ4, br#"{"data":42}"#), literals);
    assert_eq!(applied(&LZ4, b""), nothing);
    assert_eq!(LZ4.undo(&literals).unwrap(), &br#"{"data":42}"#[..]);
    assert_eq!(LZ4.undo(&nothing).unwrap(), &b""[..]);
}

// From the description of the block format: token, literals, offset, length of the match.
#[test]
fn a_match_may_overlap_its_own_output() {
    let block = hex("1f 61 0100 05 50 6262626262");

    assert_eq!(LZ4.undo(&block).unwrap(), [&[b'a'; 25][..], b"bbbbb"].concat());
}

#[test]
fn bytes_that_are_not_a_block_are_refused() {
    let nothing_to_copy_yet = hex("0f 0100 05 50 6262626262");
    let before_the_first_byte = hex("1f 61 0200 05 50 6262626262");
    let offset_of_zero = hex("1f 61 0000 05 50 6262626262");
    let endless_length = vec![0xff; 65_507];
    let frame = hex("04224d186440a7 0b000080 7b2264617461223a34327d 00000000");
    let behind_its_length = hex("0b000000 b0 7b2264617461223a34327d");

    for datagram in [
        nothing_to_copy_yet,
        before_the_first_byte,
        offset_of_zero,
        endless_length,
        frame,
        behind_its_length,
    ] {
        let error = LZ4.undo(&datagram).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Layer);
        assert_eq!(error.to_string(), "invalid LZ4 block");
        assert!(error.source().is_some());
    }
}
