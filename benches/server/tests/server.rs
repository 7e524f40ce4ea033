//! The server answers as the load generator expects.

use std::{
    io::{BufRead, BufReader},
    net::UdpSocket,
    process::{Child, Command, Stdio},
    time::Duration,
};

#[test]
fn it_echoes_bytes() {
    for handler in ["one-shot", "loop"] {
        let server = Server::start(&["--handler", handler]);
        for request in [b"first".as_slice(), b"", &[0xff; 1400]] {
            assert_eq!(server.ask(request), request, "{handler}");
        }
    }
}

#[test]
fn it_answers_typed_json() {
    let server = Server::start(&["--json"]);

    let response = server.ask(br#"{"id":7,"name":"x","values":[1,2,3,4,5,6,7,8.5]}"#);

    assert_eq!(response, br#"{"id":7,"ok":true,"name":"x","sum":36.5,"max":8.5}"#);
}

#[test]
fn it_asks_honest_peers_for_tokens() {
    let server = Server::start(&["--handler", "loop", "--tokens", "required"]);
    let addr = server.socket.peer_addr().unwrap().to_string();

    let args = [&addr[..], "30", "100", "20", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
    let output = Command::new(env!("CARGO_BIN_EXE_honest_peers")).args(args).output().unwrap();

    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, "asked 30, answered 30, challenges 3, sent 33\n");
    // A token would be 16 bytes behind the kind of a request.
    let challenge = server.ask(&[&[0x10][..], &[0; 16]].concat());
    assert_eq!((challenge.len(), challenge[0]), (17, 0x12));
}

#[test]
fn it_prints_its_options() {
    let output = Command::new(SERVER).arg("--help").output().unwrap();

    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for option in ["--port N", "--json", "--handler", "--help"] {
        assert!(help.contains(option), "{option}");
    }
    let output = Command::new(SERVER).args(["--handler", "none"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

const SERVER: &str = env!("CARGO_BIN_EXE_bench_server");

/// A server that runs until this is dropped, and a socket that is connected to it.
struct Server {
    child: Child,
    socket: UdpSocket,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(SERVER);
        command.args(["--port", "0"]).args(args).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim_end().strip_prefix("listening on ").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(addr).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { child, socket }
    }

    fn ask(&self, request: &[u8]) -> Vec<u8> {
        self.socket.send(request).unwrap();
        let mut response = vec![0; 65_535];
        let len = self.socket.recv(&mut response).expect("a response comes within the deadline");
        response.truncate(len);
        response
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
