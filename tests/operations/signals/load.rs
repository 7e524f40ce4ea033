//! O-8: SIGTERM under load.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use datagrammar::{BoxError, Handler, Peer, Server, Termination, Text, admin::Admin};

use super::{DEADLINE, HOUR, hear};
use crate::{
    admin::ask_now,
    child::{Process, part},
    files::without_files,
};

const NAME: &str = "signals::load::after_sigterm_under_load_no_request_that_was_received_is_lost";

/// Requests that are on their way at a time. The buffer of a socket holds more.
const AT_A_TIME: usize = 50;

/// Answers each number, some of them later. "hold ADDR" tells that address, and is answered when something comes from
/// there.
struct Numbers;

impl Handler<String, String> for Numbers {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let text = peer.recv().await?;
        if let Some(control) = text.strip_prefix("hold ") {
            let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(control).await?;
            socket.send(b"holding").await?;
            socket.recv(&mut [0; 16]).await?;
        }
        if text.ends_with('7') {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(peer.send(&text).await?)
    }
}

/// Serves the socket that is the standard input.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = UdpSocket::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
        let server = Server::bind(socket, Text, Numbers).await.unwrap();
        let handle = server.handle();
        let admin = Admin::new().server("numbers", handle.clone()).bind("127.0.0.1:0").unwrap();
        println!("admin {}", admin.local_addr().unwrap());
        let termination = Termination::default().lame_duck(Duration::from_millis(20)).grace(HOUR);
        server.serve_until_signal_with(termination).await.unwrap();
        let stats = handle.stats();
        println!("stats {} {} {}", stats.received, stats.delivered, stats.total_dropped());
    });
}

/// Peers that send numbers, and the answers.
struct Load {
    peers: Vec<UdpSocket>,
    sent: usize,
    answered: BTreeSet<usize>,
}

impl Load {
    fn of(server: SocketAddr) -> Self {
        let peer = |_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(server).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Self { peers: (0..4).map(peer).collect(), sent: 0, answered: BTreeSet::new() }
    }

    /// Sends what may be on its way, and receives the answers that are there.
    fn go_on(&mut self) {
        while self.sent - self.answered.len() < AT_A_TIME {
            let peer = &self.peers[self.sent % self.peers.len()];
            peer.send(self.sent.to_string().as_bytes()).unwrap();
            self.sent += 1;
        }
        self.receive();
        thread::sleep(Duration::from_micros(50));
    }

    fn receive(&mut self) {
        for peer in &self.peers {
            while let Some(number) = next(peer) {
                assert!(self.answered.insert(number), "{number} was answered twice");
            }
        }
    }
}

/// The next number that a socket has.
fn next(socket: &UdpSocket) -> Option<usize> {
    let mut datagram = [0; 32];
    match socket.recv(&mut datagram) {
        Ok(len) => Some(std::str::from_utf8(&datagram[..len]).unwrap().parse().unwrap()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            None
        }
    }
}

// O-8
#[test]
fn after_sigterm_under_load_no_request_that_was_received_is_lost() {
    if part().is_some() {
        return serve();
    }
    without_files(terminate);
}

fn terminate() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let addr = socket.local_addr().unwrap();
    let stdin = OwnedFd::from(socket.try_clone().unwrap());
    let mut server = Process::start(NAME, "serves", |command| {
        command.stdin(stdin);
    });
    let admin: SocketAddr = server.said("admin ").parse().unwrap();
    let mut load = Load::of(addr);
    while load.answered.len() < 500 {
        load.go_on();
    }
    assert_eq!(ask_now(admin, "GET /ready").status, 200);
    // It keeps the server in its second step until it was seen that it is not ready.
    let [control, held] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    for socket in [&control, &held] {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
    }
    held.connect(addr).unwrap();
    held.send(format!("hold {}", control.local_addr().unwrap()).as_bytes()).unwrap();
    let (_, holder) = control.recv_from(&mut [0; 16]).unwrap();

    server.signal("-TERM");

    let begun = Instant::now();
    let watching = thread::spawn(move || {
        while ask_now(admin, "GET /ready").status != 503 {
            assert!(begun.elapsed() < DEADLINE, "it is still ready");
        }
    });
    while !watching.is_finished() {
        load.go_on();
    }
    watching.join().unwrap();
    control.send_to(b"go on", holder).unwrap();
    assert_eq!(server.exit_code_beside(|| load.go_on()), Some(0));
    let stats = server.said("stats ");

    assert!(hear(&held).starts_with("hold "));
    load.receive();
    let unread: BTreeSet<usize> = std::iter::from_fn(|| next(&socket)).collect();
    println!("{} sent, {} answered, {} not read", load.sent, load.answered.len(), unread.len());
    assert!(!unread.is_empty(), "there was no load at the end");
    assert!(load.answered.is_disjoint(&unread));
    assert_eq!(load.answered.len() + unread.len(), load.sent, "a request was lost");
    let received = load.answered.len() + 1;
    assert_eq!(stats, format!("{received} {received} 0"));
}
