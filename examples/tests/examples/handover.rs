//! The example that replaces itself.

use std::{env, fs, net::UdpSocket, path::Path, process::Command, time::Instant};

use crate::program::{self, DEADLINE, Program, recv};

/// Asks, and returns the number of the process that answers, and the rest of the answer.
fn ask(peer: &UdpSocket, request: &str) -> (String, String) {
    peer.send(request.as_bytes()).unwrap();
    let answer = String::from_utf8(recv(peer)).unwrap();
    let (process, rest) = answer.split_once(": ").unwrap();
    (process.to_owned(), rest.to_owned())
}

/// Ends a process that the program has started.
struct Successor(String);

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(&self.0).status();
    }
}

// O-31
#[test]
fn handover_replaces_itself_and_the_conversation_goes_on_in_the_old_process() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("handover-{}", std::process::id()));
    let path = env::temp_dir().join(format!("datagrammar-example-{}", std::process::id()));
    // No copies: while another test starts a program, the kernel could refuse to run a file that was just written.
    fs::hard_link(program::path("handover"), &file).unwrap();
    let program = Program::start_at(&file, [path.to_str().unwrap(), "127.0.0.1:0"]);
    let addr = program.addr();
    let peer = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(&addr).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    };
    let (stays, begins) = (peer(), peer());
    let (old, answer) = ask(&stays, "a");
    assert_eq!(answer, "1 a");

    // As an upgrade replaces it.
    fs::remove_file(&file).unwrap();
    fs::hard_link(program::path("handover"), &file).unwrap();
    program.signal("-HUP");

    assert_eq!(program.addr(), addr, "the new process has the same address");
    // The old one still reads for a moment.
    let deadline = Instant::now() + DEADLINE;
    let new = loop {
        let (process, _) = ask(&begins, "bye");
        if process != old {
            break Successor(process);
        }
        assert!(Instant::now() < deadline, "the new process serves new conversations");
    };
    assert_eq!(ask(&stays, "b"), (old.clone(), "2 b".to_owned()));
    assert_eq!(ask(&stays, "bye"), (old, "3 bye".to_owned()));
    assert_eq!(program.line(), "ended, 0 conversations aborted");
    assert_eq!(ask(&stays, "a"), (new.0.clone(), "1 a".to_owned()));
    drop(new);
    let _ = fs::remove_file(path);
    fs::remove_file(file).unwrap();
}
