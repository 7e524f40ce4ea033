//! The base64 layer: both alphabets, and strictness.

use std::error::Error;

use datagrammar_protocols::{Base64, DatagramProtocol, ErrorKind, Raw, Text};

use crate::{encode, hex};

// P-29: w10
#[test]
fn bytes_are_written_url_safe_or_in_the_standard_alphabet() {
    let bytes = hex("fbfffe").into();

    assert_eq!(encode(&Raw.layer(Base64::new()), &bytes), b"-__-");
    assert_eq!(encode(&Raw.layer(Base64::default()), &bytes), b"-__-");
    assert_eq!(encode(&Raw.layer(Base64::new().standard()), &bytes), b"+//+");
}

// RFC 4648, section 10
#[test]
fn the_vectors_of_the_rfc_hold() {
    let vectors = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];
    for layer in [Base64::new(), Base64::new().standard()] {
        for (text, datagram) in vectors {
            assert_eq!(encode(&Text.layer(layer), &text.to_owned()), datagram.as_bytes());
            assert_eq!(Text.layer(layer).decode(datagram.as_bytes()).unwrap(), text);
        }
    }
}

// P-19
#[test]
fn text_in_another_form_is_refused() {
    let refused = [
        "Zg",
        "Zg=",
        "Zg===",
        "Zm8",
        "Zm9v=",
        "Zm9v====",
        "=",
        "====", // padding
        "Zh==",
        "Zm9=", // unused bits that are not 0
        "Zm9v\n",
        " Zm9v",
        "Zm 9v",
        "Zm9v\r\n", // white space
        "Zg==Zg==",
        "Zm9vZ",
        "Zm9vZg==\0",
        "Z===",
        "Zm9\u{e9}",
    ];
    for layer in [Base64::new(), Base64::new().standard()] {
        for datagram in refused {
            let error = Raw.layer(layer).decode(datagram.as_bytes()).expect_err(datagram);

            assert_eq!(error.kind(), ErrorKind::Layer);
            assert_eq!(error.to_string(), "invalid base64");
            assert!(error.source().is_some());
        }
    }
}

// P-19
#[test]
fn the_other_alphabet_is_refused() {
    assert!(Raw.layer(Base64::new()).decode(b"+//+").is_err());
    assert!(Raw.layer(Base64::new()).decode(b"-_/-").is_err());
    assert!(Raw.layer(Base64::new().standard()).decode(b"-__-").is_err());
}

// P-19: each payload has exactly one datagram, and only that one is accepted.
#[test]
fn whatever_is_read_is_what_would_be_written() {
    let alphabet = b"ABCDwxyz0189-_+/= \n\0";
    let mut random = fastrand::Rng::with_seed(19);
    let protocol = Raw.layer(Base64::new());
    let mut read = 0;

    for _ in 0..20_000 {
        let len = random.usize(..9);
        let datagram: Vec<u8> =
            (0..len).map(|_| alphabet[random.usize(..alphabet.len())]).collect();

        if let Ok(packet) = protocol.decode(&datagram) {
            assert_eq!(encode(&protocol, &packet), datagram);
            read += 1;
        }
    }
    assert!(read > 1_000, "only {read} were read");
}
