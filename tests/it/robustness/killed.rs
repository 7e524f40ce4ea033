//! Row 14: servers that are killed, one after the other, on a socket that their parent process holds.

use std::{
    env,
    io::{self, ErrorKind},
    net::UdpSocket,
    os::fd::{AsFd, OwnedFd},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use datagrammar::{Server, Text};
use fastrand::Rng;

use super::times;
use crate::{
    alone::command,
    files::without_files,
    support::{BindNow, conversing},
};

/// Requests that are sent at a time. The buffer of the socket holds twice as many.
const AT_A_TIME: u64 = 50;

/// Tells a process that it is the server.
const SERVER: &str = "DATAGRAMMAR_KILLED_SERVER";

const NAME: &str =
    "robustness::killed::of_a_server_that_is_killed_at_most_what_it_had_read_is_lost";

/// Serves the socket that is its standard input until it is killed.
fn serve() {
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        if text.ends_with('7') {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(peer.send(&text).await?)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = io::stdin().as_fd().try_clone_to_owned().unwrap();
        let server = Server::builder(Text, handler).bind_now(UdpSocket::from(socket)).unwrap();
        server.serve().await.unwrap();
    });
}

/// A server in a process of its own, which is killed when this is dropped.
struct Process(Child);

impl Process {
    fn start(socket: &UdpSocket) -> Self {
        let socket = OwnedFd::from(socket.try_clone().unwrap());
        let mut command = command(NAME);
        Self(command.env(SERVER, "yes").stdin(socket).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Peers that send numbers, and what they have heard.
struct Peers {
    sockets: Vec<UdpSocket>,
    answered: Vec<bool>,
}

impl Peers {
    fn of(server: &UdpSocket) -> Self {
        let peer = |_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(server.local_addr().unwrap()).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Self { sockets: (0..4).map(peer).collect(), answered: Vec::new() }
    }

    fn send(&mut self, requests: u64) {
        for _ in 0..requests {
            let number = self.answered.len();
            self.answered.push(false);
            let peer = &self.sockets[number % self.sockets.len()];
            peer.send(number.to_string().as_bytes()).unwrap();
        }
    }

    /// Receives the replies that are there.
    fn receive(&mut self) {
        let mut reply = [0; 32];
        for socket in &self.sockets {
            while let Some(len) = there(socket.recv(&mut reply)) {
                let number = number(&reply[..len]);
                assert!(!self.answered[number], "{number} was answered twice");
                self.answered[number] = true;
            }
        }
    }

    /// Waits until `count` of the requests from number `first` on are answered.
    fn wait(&mut self, first: usize, count: usize) {
        let begun = Instant::now();
        loop {
            self.receive();
            let answered = self.answered[first..].iter().filter(|answered| **answered).count();
            if answered >= count {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "only {answered} of {count}");
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Waits until all requests from number `first` on are answered.
    fn wait_for_all(&mut self, first: usize) {
        self.wait(first, self.answered.len() - first);
    }
}

fn number(text: &[u8]) -> usize {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// The length of what was received, unless nothing is there.
fn there(received: io::Result<usize>) -> Option<usize> {
    match received {
        Ok(len) => Some(len),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            None
        }
    }
}

/// Kills `servers`, one after the other; returns how many requests there were, and how many were lost.
fn kill(servers: u64) -> (usize, usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut peers = Peers::of(&socket);
    let mut rng = Rng::with_seed(14);
    let (mut first, mut lost) = (0, 0);
    for _ in 0..servers {
        let server = Process::start(&socket);
        for _ in 0..8 {
            peers.send(AT_A_TIME);
            peers.wait_for_all(first);
        }
        // It is killed when it has answered none, some or almost all of the last ones.
        let before = peers.answered.len();
        peers.send(AT_A_TIME);
        peers.wait(before, rng.usize(..AT_A_TIME as usize));
        drop(server);

        // The next number that waits in the socket. The smaller ones were read by the server that is dead.
        let mut next = [0; 32];
        first =
            there(socket.peek(&mut next)).map_or(peers.answered.len(), |len| number(&next[..len]));
        peers.receive();
        assert!(peers.answered[first..].iter().all(|answered| !answered));
        lost = peers.answered[..first].iter().filter(|answered| !**answered).count();
        // Nobody serves now.
        peers.send(AT_A_TIME);
    }
    let _last = Process::start(&socket);
    peers.wait_for_all(first);
    (peers.answered.len(), lost)
}

// B-13, L-1, O-5
#[test]
fn of_a_server_that_is_killed_at_most_what_it_had_read_is_lost() {
    if env::var_os(SERVER).is_some() {
        return serve();
    }
    let servers = times("DATAGRAMMAR_KILLS", 4);

    let (requests, lost) = without_files(|| kill(servers));

    println!("{servers} servers killed, {requests} requests, {lost} lost, all of them read");
    assert!(lost <= (servers * AT_A_TIME) as usize, "{lost} of {requests}");
}
