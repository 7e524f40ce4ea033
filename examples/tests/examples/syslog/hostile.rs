//! Datagrams that are no log messages, and some that pretend to be.

use datagrammar::DatagramProtocol;
use serde_json::json;

use super::{Syslog, decoded, refused};

#[test]
fn syslog_refuses_an_invalid_priority() {
    let invalid =
        ["<", "<>", "<>x", "<192>x", "<256>x", "<0013>x", "<-1>x", "<+1>x", "<1 >x", "<é>"];
    for datagram in invalid {
        assert_eq!(refused(datagram), "priority is not <0> to <191>", "{datagram}");
    }
    for datagram in ["<html><body>", "<13", "<13 >1 - - - - - -"] {
        assert_eq!(refused(datagram), "priority is not <0> to <191>", "{datagram}");
    }
    assert_eq!(decoded("<0>")["facility"], "kern");
    assert_eq!(decoded("<191>"), json!({"facility": "local7", "severity": "debug", "text": ""}));
}

#[test]
fn syslog_refuses_what_is_neither_a_message_nor_a_line_of_text() {
    let ntp = [&b"\x23"[..], &[0; 47]].concat();
    let dns = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
    for datagram in [&b""[..], b"\0", b"\n", &ntp, dns, b"caf\xe9", b"a\x1b[2Jb", b"two\nlines"] {
        let error = "no priority, and not a line of text";
        assert_eq!(refused(datagram), error, "{}", datagram.escape_ascii());
    }
}

#[test]
fn syslog_survives_each_cut_and_each_altered_byte() {
    let messages = [
        "<165>1 2003-10-11T22:14:15.003+01:00 vm app 7 ID47 [a@1 x=\"\\\"1\" y=\"é\"][b] \u{feff}té",
        "<34>Oct 11 22:14:15 mymachine su[10]: 'su root' failed",
        "<34>2003-10-11T22:14:15.003Z mymachine su: é",
    ];
    for message in messages.map(str::as_bytes) {
        for at in 0..message.len() {
            let _ = Syslog.decode(&message[..at]); // any result will do, a panic will not
            let mut altered = message.to_vec();
            for byte in 0..=255 {
                altered[at] = byte;
                let _ = Syslog.decode(&altered);
            }
        }
    }
}

#[test]
fn syslog_reads_the_longest_datagrams() {
    let elements = "[a]".repeat(21_000);
    let params = " x=\"\\\\\"".repeat(9_000);

    let message = decoded(format!("<13>1 - - - - - {elements} x"));
    assert_eq!(message["structured_data"].as_array().unwrap().len(), 21_000);
    let message = decoded(format!("<13>1 - - - - - [a{params}] x"));
    assert_eq!(message["structured_data"][0]["params"].as_array().unwrap().len(), 9_000);
    assert_eq!(
        refused(["<13>1 - - - - - ", &"[".repeat(65_000)].concat()),
        "invalid structured data (RFC 5424)"
    );
    assert_eq!(
        decoded(["<13>", &"[".repeat(65_000)].concat())["text"].as_str().unwrap().len(),
        65_000
    );
}
