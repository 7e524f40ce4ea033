//! The codec `Text`.

use std::{error::Error, str::Utf8Error};

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Text};

use crate::encode;

// P-15
#[test]
fn text_is_written_as_utf8_and_nothing_else() {
    for text in ["", "hello, world.", " padded \r\n", "é€😀", "\0", "\u{feff}bom"] {
        let datagram = encode(&Text, &text.to_owned());

        assert_eq!(datagram, text.as_bytes());
        assert_eq!(Text.decode(&datagram).unwrap(), text);
    }
}

// P-15
#[test]
fn invalid_utf8_is_refused() {
    let overlong = b"\xc0\xaf";
    let surrogate = b"\xed\xa0\x80";
    let cut = b"\xe2\x82";

    for datagram in [&b"\xe9"[..], overlong, surrogate, cut, b"ok\xff"] {
        let error = Text.decode(datagram).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.source().unwrap().is::<Utf8Error>());
    }
}
