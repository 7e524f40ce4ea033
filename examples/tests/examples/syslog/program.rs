//! The collector as a program.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::program::Program;

#[test]
fn syslog_prints_messages_of_all_its_addresses_as_json() {
    let collector = Program::start("syslog", ["127.0.0.1:0", "127.0.0.2:0"]);
    let peers = [collector.peer(), collector.peer()];

    for (peer, datagram) in peers.iter().zip(["<34>1 - host app 7 ID47 [a x=\"1\"] té", "<13>x: y"])
    {
        peer.send(datagram.as_bytes()).unwrap();
        let mut line: Value = serde_json::from_str(&collector.line()).unwrap();
        assert_eq!(line["from"].take(), peer.local_addr().unwrap().to_string());
        let expected = match datagram {
            "<13>x: y" => json!({
                "from": null, "facility": "user", "severity": "notice", "timestamp": null,
                "hostname": null, "app_name": "x", "proc_id": null, "msg_id": null,
                "structured_data": [], "text": "y",
            }),
            _ => json!({
                "from": null, "facility": "auth", "severity": "crit", "timestamp": null,
                "hostname": "host", "app_name": "app", "proc_id": "7", "msg_id": "ID47",
                "structured_data": [{"id": "a", "params": [["x", "1"]]}], "text": "té",
            }),
        };
        assert_eq!(line, expected);
    }
}

#[test]
fn syslog_escapes_all_but_printable_ascii() {
    let collector = Program::start("syslog", ["127.0.0.1:0"]);
    let peer = collector.peer();
    let text = "a\n{\"from\":\"forged\"}\r\0\x1b[2J\x7f\u{9b}31m\u{202e}\u{2028}é";

    peer.send(format!("<13>{text}.").as_bytes()).unwrap();

    let line = collector.line();
    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["text"], format!("{text}."));
}

#[test]
fn syslog_says_what_it_refuses_and_goes_on() {
    let collector = Program::start("syslog", ["127.0.0.1:0"]);
    let peer = collector.peer();
    let from = peer.local_addr().unwrap();

    peer.send(b"<999>x").unwrap();
    peer.send(b"<13>x").unwrap();

    // One goes to standard error and the other to standard output, so either may be read first.
    let mut lines = [collector.line(), collector.line()];
    lines.sort();
    assert_eq!(lines[0], format!("refused from \"{from}\": priority is not <0> to <191>"));
    assert!(lines[1].contains("\"text\":\"x\""), "{lines:?}");
}

#[test]
fn syslog_without_an_address_or_with_one_in_use_fails() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();

    assert_eq!(Program::start("syslog", [] as [&str; 0]).end().0, Some(1));
    assert_eq!(Program::start("syslog", ["127.0.0.1:0", &addr]).end().0, Some(1));
}

#[cfg(unix)]
#[test]
fn syslog_ends_cleanly_on_both_signals() {
    for signal in ["-INT", "-TERM"] {
        let collector = Program::start("syslog", ["127.0.0.1:0"]);
        let peer = collector.peer();
        peer.send(b"<13>x").unwrap();
        collector.line();

        collector.signal(signal);

        let (code, lines) = collector.end();
        assert_eq!(code, Some(0), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "stopped, 1 received, 0 refused");
    }
}
