//! The codec `TextLine`: terminators and encodings.

use std::{error::Error, str::Utf8Error};

use datagrammar_protocols::{DatagramProtocol, ErrorKind, TextLine};

use crate::encode;

const LF: TextLine = TextLine::new();
const CR: TextLine = TextLine::new().cr();
const CRLF: TextLine = TextLine::new().crlf();

// P-29 w7
#[test]
fn a_line_ends_with_lf_by_default() {
    assert_eq!(encode(&LF, &"abc".to_owned()), b"abc");
    assert_eq!(LF.decode(b"abc").unwrap(), "abc");
    assert_eq!(LF.decode(b"abc\n\n").unwrap(), "abc");
    assert_eq!(LF.decode(b"abc\r\n").unwrap(), "abc\r");
}

// P-16
#[test]
fn all_terminators_at_the_end_are_removed() {
    assert_eq!(CR.decode(b"abc\r\r\r").unwrap(), "abc");
    assert_eq!(CRLF.decode(b"abc\r\n\r\n").unwrap(), "abc");
    for (line, terminators) in [(LF, "\n\n"), (CR, "\r\r"), (CRLF, "\r\n\r\n")] {
        assert_eq!(line.decode(terminators.as_bytes()).unwrap(), "");
    }
}

// P-16
#[test]
fn other_and_inner_terminators_stay() {
    assert_eq!(LF.decode(b"\na\nb\r").unwrap(), "\na\nb\r");
    assert_eq!(CR.decode(b"a\rb\n").unwrap(), "a\rb\n");
    assert_eq!(CR.decode(b"a\r\n").unwrap(), "a\r\n");
    assert_eq!(CRLF.decode(b"a\r\nb\n\r").unwrap(), "a\r\nb\n\r");
    assert_eq!(CRLF.decode(b"a\n\r\n").unwrap(), "a\n");
}

// P-16
#[test]
fn terminators_are_kept_on_request() {
    for line in [LF, CR, CRLF] {
        assert_eq!(line.keep_terminator().decode(b"a\r\n\n\r").unwrap(), "a\r\n\n\r");
    }
}

// P-16
#[test]
fn nothing_is_added_when_writing_and_nothing_removed() {
    for line in [LF, CR, CRLF, LF.keep_terminator(), LF.utf8()] {
        for text in ["", "abc", "abc\n", "a\r\n\r\n", "\0"] {
            assert_eq!(encode(&line, &text.to_owned()), text.as_bytes());
        }
    }
}

// P-16
#[test]
fn only_ascii_is_read_and_written_by_default() {
    for text in ["é", "abc\u{80}", "é\n"] {
        let read = LF.decode(text.as_bytes()).unwrap_err();
        let written = LF.encode(&text.to_owned(), &mut Vec::new()).unwrap_err();

        assert_eq!((read.kind(), written.kind()), (ErrorKind::Codec, ErrorKind::Codec));
        assert_eq!(read.to_string(), "text is not ASCII");
        assert_eq!(written.to_string(), "text is not ASCII");
    }
    let every_character: String = (0..=0x7f).map(char::from).collect();
    assert_eq!(LF.decode(every_character.as_bytes()).unwrap(), every_character);
}

// P-16, P-4
#[test]
fn utf8_is_read_and_written_on_request() {
    let protocol = CRLF.utf8();

    let datagram = encode(&protocol, &"é€😀\r\n".to_owned());

    assert_eq!(datagram, "é€😀\r\n".as_bytes());
    assert_eq!(protocol.decode(&datagram).unwrap(), "é€😀");
}

// P-5
#[test]
fn invalid_utf8_is_refused() {
    for datagram in [&b"\xe9"[..], b"\xc0\xaf", b"abc\xff\n", &[0xff; 65_507]] {
        let error = LF.utf8().decode(datagram).unwrap_err();

        assert_eq!(error.to_string(), "invalid UTF-8");
        assert!(error.source().unwrap().is::<Utf8Error>());
        assert!(LF.decode(datagram).unwrap_err().source().is_none());
    }
}

// P-15
#[test]
fn an_empty_packet_is_the_empty_datagram() {
    for line in [LF, CR, CRLF, LF.utf8(), LF.keep_terminator()] {
        assert_eq!(encode(&line, &String::new()), b"");
        assert_eq!(line.decode(b"").unwrap(), "");
    }
}

// P-1
#[test]
fn a_line_is_appended() {
    let mut datagram = b"before|".to_vec();

    LF.encode(&"line".to_owned(), &mut datagram).unwrap();

    assert_eq!(datagram, b"before|line");
}
