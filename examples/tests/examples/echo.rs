//! The echo examples: a server, a client, and both in one program.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::program::{Program, recv};

#[test]
fn echo_sends_its_words_as_json_and_prints_both_sides() {
    let (code, lines) = Program::start("echo", ["Hello", "world", "é\"\n"]).end();

    let packet = r#"{"command-line arguments":["Hello","world","é\"\n"]}"#;
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], format!("sent: {packet}"));
    assert!(lines[1].starts_with("server received from 127.0.0.1:"), "{lines:?}");
    assert!(lines[1].ends_with(packet), "{lines:?}");
    assert_eq!(lines[2], format!("received: {packet}"));
}

#[test]
fn echo_server_answers_json_in_order_and_the_rest_with_an_error() {
    let server = Program::start("echo_server", ["--bind", "127.0.0.1:0"]);
    let peer = server.peer();

    let requests = [r#"{"a":[1,2.5,null]}"#, "\"é\"", "7", "{", "", "\u{feff}1", " [ ] "];
    for request in requests {
        peer.send(request.as_bytes()).unwrap();
    }

    let error = json!({"error": "Invalid JSON", "code": "parse_error"});
    let answers: [Value; 7] = [(); 7].map(|()| serde_json::from_slice(&recv(&peer)).unwrap());
    let expected =
        [json!({"a": [1, 2.5, null]}), "é".into(), 7.into(), error.clone(), error.clone(), error];
    assert_eq!(answers[..6], expected);
    assert_eq!(answers[6], json!([]));
}

#[test]
fn echo_server_takes_its_address_from_the_command_line() {
    for args in [["--bind", "127.0.0.1:0"].as_slice(), &["--port", "0", "--bind", "127.0.0.1"]] {
        let listening = Program::start("echo_server", args).line();
        let port = listening.strip_prefix("listening on 127.0.0.1:").unwrap();
        assert_ne!(port, "0");
    }
    let (code, help) = Program::start("echo_server", ["--help"]).end();
    assert_eq!(code, Some(0));
    assert!(help.iter().any(|line| line.contains("default: 9000")), "{help:?}");
    assert!(help.iter().any(|line| line.contains("default: [::]")), "{help:?}");

    for args in [["--port", "x"].as_slice(), &["--bind"], &["--nonsense"]] {
        assert_eq!(Program::start("echo_server", args).end().0, Some(2), "{args:?}");
    }
    let (code, lines) = Program::start("echo_server", ["--bind", "192.0.2.1:0"]).end();
    assert_eq!(code, Some(1));
    assert!(lines[0].starts_with("echo_server: cannot bind 192.0.2.1:0: "), "{lines:?}");
}

#[cfg(unix)]
#[test]
fn echo_server_ends_cleanly_on_ctrl_c() {
    let server = Program::start("echo_server", ["--bind", "127.0.0.1:0"]);
    let peer = server.peer();
    peer.send(b"1").unwrap();
    recv(&peer);

    server.signal("-INT");

    let (code, lines) = server.end();
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "stopped, 1 datagrams received");
}

#[test]
fn echo_client_prints_what_the_server_answers() {
    let server = Program::start("echo_server", ["--bind", "127.0.0.1:0"]);
    let addr = server.addr();

    let (code, lines) = Program::start("echo_client", ["--to", &addr, "Hello", "world"]).end();

    let packet = r#"{"command-line arguments":["Hello","world"]}"#;
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines, [format!("sent: {packet}"), format!("received: {packet}")]);
    assert!(server.line().ends_with(&format!("sent {packet}")));
}

#[test]
fn echo_client_fails_when_nobody_answers() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap().to_string();

    let (code, lines) = Program::start("echo_client", ["--to", &addr, "Hello"]).end();

    assert_eq!(code, Some(1), "{lines:?}");
    let problem = format!("echo_client: {addr}: no packet came within the timeout");
    assert!(lines.contains(&problem), "{lines:?}");
}
