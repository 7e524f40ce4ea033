//! The service of systemd, started in other ways. `tests/interop` starts it by systemd's own program.

use std::{
    net::UdpSocket,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
};

use crate::program::{DEADLINE, Program, path, recv};

#[test]
fn activated_by_hand_serves_the_address_of_the_command_line_until_it_is_terminated() {
    let service = Program::start("activated", ["127.0.0.1:0"]);
    let peer = service.peer();
    peer.send(b"hello").unwrap();
    assert_eq!(recv(&peer), b"hello");

    service.signal("-TERM");

    let (code, lines) = service.end();
    assert_eq!((code, lines), (Some(0), vec!["stopped, 1 datagrams received".to_owned()]));
}

#[test]
fn activated_without_sockets_says_how_to_start_it() {
    let (code, lines) = Program::start("activated", [] as [&str; 0]).end();

    assert_eq!(code, Some(1), "{lines:?}");
    assert!(lines[0].contains("systemd-socket-activate --datagram"), "{lines:?}");
}

#[test]
fn activated_answers_the_datagram_that_came_before_its_start_on_descriptor_3() {
    for args in ["", "--nth 0", "--name unknown"] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.connect(socket.local_addr().unwrap()).unwrap();
        peer.send(b"wake up").unwrap();

        // The shell gets the socket as its standard input, and becomes the service.
        let script = format!(
            "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec '{}' {args}",
            path("activated").display()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(OwnedFd::from(socket)).stdout(Stdio::null());
        let mut service = shell.env_remove("LISTEN_FDNAMES").spawn().unwrap();

        // If it fails, there is no answer, and its error is in the output of this test.
        let answer = thread::scope(|scope| scope.spawn(|| recv(&peer)).join());
        service.kill().unwrap();
        service.wait().unwrap();
        assert_eq!(answer.unwrap(), b"wake up", "{args}");
    }
}
