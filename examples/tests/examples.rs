//! Starts each example as a user does, and checks what it prints and sends.

#[path = "../custom_protocol/ntp.rs"]
mod ntp;

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::UdpSocket,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use datagrammar::DatagramProtocol;
use ntp::{Request, Requests, Response, Responses, Timestamp};
use serde_json::{Value, json};

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
fn discovery_finds_both_nodes_over_multicast() {
    let (code, lines) = Program::start("discovery", [] as [&str; 0]).end();

    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("found: printer, scanner"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("127.0.0.1:")).count(), 2, "{lines:?}");
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

    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());

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

#[test]
fn a_conversation_lasts_until_the_number_is_guessed_or_the_client_is_silent() {
    let (code, lines) = Program::start("conversation", ["77"]).end();

    let text = lines.join("\n");
    assert_eq!(code, Some(0), "{text}");
    let turns = [
        "client: Ada\nserver: Hello, Ada. Guess a number from 1 to 100.\n",
        "client: fifty\nserver: That is no such number.\nclient: 50\nserver: Higher.\n",
        "client: 77\nserver: Right, after 8 guesses!\nclient: Bob\nserver: Hello, Bob.",
    ];
    for turn in turns {
        assert!(text.contains(turn), "{text}");
    }
    assert_eq!(lines.last().unwrap(), "server: You have gone quiet, Bob. Goodbye.");
    assert_eq!(Program::start("conversation", ["101"]).end().0, Some(1));
}

#[cfg(feature = "signed")]
#[test]
fn signed_counter_refuses_what_was_recorded_and_what_nobody_signed() {
    let (code, lines) = Program::start("signed_counter", [] as [&str; 0]).end();

    assert_eq!(code, Some(0), "{lines:?}");
    let times = |line| lines.iter().filter(|&printed| printed == line).count();
    assert_eq!(lines[0], "client: the total is 40");
    assert_eq!(times("server: refused, a recorded datagram"), 1, "{lines:?}");
    assert_eq!(times("server: refused, not a signed hello"), 2, "{lines:?}");
    assert_eq!(lines[4..], ["client: the total is 42"], "{lines:?}");
}

#[test]
fn custom_protocol_tells_the_time_to_itself() {
    let (code, lines) = Program::start("custom_protocol", [] as [&str; 0]).end();

    assert_eq!(code, Some(0), "{lines:?}");
    assert!(lines[0].starts_with("listening on 127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[1], "stratum 1, LOCL");
    assert!(lines[2].starts_with("our clock is off by "), "{lines:?}");
}

#[test]
fn custom_protocol_answers_a_request_of_another_program() {
    let server = Program::start("custom_protocol", ["serve", "127.0.0.1:0"]);
    let peer = server.peer();

    peer.send(b"no NTP").unwrap(); // and no answer
    peer.send(&REQUEST).unwrap();

    let datagram = recv(&peer);
    assert_eq!(datagram[..16], *b"\x24\x01\x06\xec\0\0\0\0\0\0\0\0LOCL");
    assert_eq!(datagram[24..32], REQUEST[40..]);
    let response = Responses.decode(&datagram).unwrap();
    for at in [response.reference, response.receive, response.transmit] {
        assert!(Timestamp::now().since(at).abs() < 10.0, "{response:?}");
    }
}

#[test]
fn custom_protocol_reckons_how_far_its_clock_is_off() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(DEADLINE)).unwrap();
    let addr = server.local_addr().unwrap().to_string();
    let client = Program::start("custom_protocol", ["ask", &addr]);

    let mut datagram = [0; 64];
    let (len, peer) = server.recv_from(&mut datagram).unwrap();
    assert_eq!(datagram[..40], [[0x23].as_slice(), &[0; 39]].concat());
    let request = Requests.decode(&datagram[..len]).unwrap();
    let ahead = Timestamp(request.transmit.0.wrapping_add(3600 << 32));
    let response =
        Response { origin: request.transmit, receive: ahead, transmit: ahead, ..known() };
    let mut datagram = Vec::new();
    Responses.encode(&response, &mut datagram).unwrap();
    server.send_to(&datagram, peer).unwrap();

    let (code, lines) = client.end();
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines[0], "stratum 2, \\xc0\\x00\\x02\\x07");
    let offset = lines[1].strip_prefix("our clock is off by ").unwrap();
    let offset: f64 = offset.split_once(' ').unwrap().0.parse().unwrap();
    assert!((3590.0..=3600.0).contains(&offset), "{offset}");
}

#[test]
fn ntp_packets_are_these_bytes() {
    let request = Request { version: 4, poll: 6, transmit: Timestamp(0xec3a_9b00_8000_0000) };

    let mut datagrams = [Vec::new(), Vec::new()];
    Requests.encode(&request, &mut datagrams[0]).unwrap();
    Responses.encode(&known(), &mut datagrams[1]).unwrap();

    assert_eq!(datagrams[0], REQUEST);
    assert_eq!(datagrams[1], RESPONSE);
    assert_eq!(Requests.decode(&REQUEST).unwrap(), request);
    assert_eq!(Responses.decode(&RESPONSE).unwrap(), known());
}

#[test]
fn what_is_no_ntp_packet_is_refused() {
    let changed = |datagram: [u8; 48], at: usize, byte| {
        let mut datagram = datagram;
        datagram[at] = byte;
        datagram
    };

    for datagram in [&REQUEST[..47], &[REQUEST.as_slice(), &[0]].concat(), b""] {
        let error = Requests.decode(datagram).unwrap_err();
        assert_eq!(error.to_string(), "length is not 48 bytes");
    }
    for first in [0x03, 0x2b, 0x24] {
        assert!(Requests.decode(&changed(REQUEST, 0, first)).is_err(), "version, version, mode");
    }
    for (at, byte) in [(0, 0x23), (0, 0xe4), (1, 0), (1, 16)] {
        assert!(Responses.decode(&changed(RESPONSE, at, byte)).is_err(), "mode, leap, stratum");
    }
}

#[test]
fn the_seconds_between_two_timestamps_span_the_turn_of_2036() {
    let (before, after) = (Timestamp(0xffff_ffff_8000_0000), Timestamp(0x0000_0001_0000_0000));

    assert_eq!(after.since(before), 1.5);
    assert_eq!(before.since(after), -1.5);
}

/// An example that runs, until it ends or this is dropped.
struct Program {
    child: Child,
    /// What it prints, to standard output and standard error.
    lines: Receiver<String>,
}

impl Program {
    fn start(name: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        // The test is in target/PROFILE/deps, the examples are in target/PROFILE/examples.
        let test = env::current_exe().unwrap();
        let dir = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
        let path = dir.join(name).with_extension(env::consts::EXE_EXTENSION);
        let mut child = Command::new(&path)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo build --examples` makes it", path.display())
            });
        let (sender, lines) = channel();
        read_lines(child.stdout.take().unwrap(), sender.clone());
        read_lines(child.stderr.take().unwrap(), sender);
        Self { child, lines }
    }

    /// The next line that it prints.
    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line is printed within the deadline")
    }

    /// The address that it says it listens on.
    fn addr(&self) -> String {
        self.line().strip_prefix("listening on ").expect("a server first tells where").to_owned()
    }

    /// A socket that is connected to it.
    fn peer(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.addr()).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    /// Waits for its end, and returns its exit code and the lines nobody has read yet.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the program ends within the deadline");
            thread::sleep(Duration::from_millis(1));
        }
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It fails only if the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| to.send(line))
    });
}

fn recv(socket: &UdpSocket) -> Vec<u8> {
    let mut datagram = vec![0; 65_535];
    let len = socket.recv(&mut datagram).expect("an answer comes within the deadline");
    datagram.truncate(len);
    datagram
}

/// The packet that `RESPONSE` stands for.
fn known() -> Response {
    Response {
        version: 4,
        stratum: 2,
        poll: 6,
        precision: -20,
        root_delay: 0x0000_0123,
        root_dispersion: 0x0000_4567,
        reference_id: [192, 0, 2, 7],
        reference: Timestamp(0xec3a_9a00_0102_0304),
        origin: Timestamp(0xec3a_9b00_8000_0000),
        receive: Timestamp(0xec3a_9b00_9000_0000),
        transmit: Timestamp(0xec3a_9b00_a000_0000),
    }
}

const DEADLINE: Duration = Duration::from_secs(20);

const REQUEST: [u8; 48] = *b"\x23\x00\x06\x00\
    \0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \xec\x3a\x9b\x00\x80\x00\x00\x00";

const RESPONSE: [u8; 48] = *b"\x24\x02\x06\xec\
    \x00\x00\x01\x23\x00\x00\x45\x67\xc0\x00\x02\x07\
    \xec\x3a\x9a\x00\x01\x02\x03\x04\xec\x3a\x9b\x00\x80\x00\x00\x00\xec\x3a\x9b\x00\x90\x00\x00\x00\
    \xec\x3a\x9b\x00\xa0\x00\x00\x00";
