//! Servers in processes of their own that hand over under load, or are killed. `.ci/nightly handover` runs them in the sizes
//! of docs/robustness.md.

use std::{
    io::{self, ErrorKind},
    net::UdpSocket,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::Stdio,
    thread,
    time::Instant,
};

use datagrammar::TakeOver;
use fastrand::Rng;

use super::*;
use crate::child::{self, Process};

const PEERS: usize = 12;
/// How many requests of a peer are on their way at a time.
const AT_A_TIME: u64 = 3;
/// How many requests a conversation has.
const REQUESTS: u64 = 5;

/// How often a test does what it does: `small` times, unless the environment has another number.
fn times(variable: &str, small: u64) -> u64 {
    env::var(variable).map_or(small, |number| number.parse().expect("a number"))
}

/// Answers with the process, the number of the request in its conversation, and the request.
struct Conversing;

impl Handler<String, String> for Conversing {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        for number in 0..REQUESTS {
            let request = peer.recv().await?;
            peer.send(format!("{} {number} {request}", std::process::id())).await?;
        }
        Ok(())
    }
}

/// Serves as a child process: takes over, or serves the socket that is its standard input.
fn serve(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = UdpSocket::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
        let transport = TakeOver::from(path).or(socket);
        let server = Server::bind(transport, Text, Conversing).await.unwrap();
        let (handle, path) = (server.handle(), path.to_owned());
        let handing_over = tokio::spawn(async move { handle.hand_over(path, LONG).await });
        server.serve().await.unwrap();
        assert_eq!(handing_over.await.unwrap().unwrap(), 0);
    });
}

/// Starts a process that [serves](serve) for the test of this name.
fn start(test: &str, path: &Path, socket: &UdpSocket) -> Process {
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    Process::start(test, path.to_str().unwrap(), |command| {
        command.stdin(socket).stderr(Stdio::null());
    })
}

/// A peer that sends numbers, and expects them back in order.
struct Numbers {
    socket: UdpSocket,
    sent: u64,
    /// The next number that is to be answered.
    next: u64,
    /// Smaller numbers were sent before the last process was killed.
    safe: u64,
    lost: u64,
    server: String,
}

/// The peers, and whether processes are killed.
struct Load {
    peers: Vec<Numbers>,
    kills: bool,
}

impl Load {
    fn on(server: &UdpSocket, kills: bool) -> Self {
        let peer = |_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(server.local_addr().unwrap()).unwrap();
            socket.set_nonblocking(true).unwrap();
            Numbers { socket, sent: 0, next: 0, safe: 0, lost: 0, server: String::new() }
        };
        Self { peers: (0..PEERS).map(peer).collect(), kills }
    }

    /// Sends what may be sent, and receives what is there; waits a moment if there is nothing to do.
    fn turn(&mut self, sends: bool) {
        let mut idle = true;
        for peer in &mut self.peers {
            while sends && peer.sent - peer.next.max(peer.safe) < AT_A_TIME {
                peer.socket.send(peer.sent.to_string().as_bytes()).unwrap();
                peer.sent += 1;
                idle = false;
            }
            let mut reply = [0; 64];
            while let Some(len) = there(peer.socket.recv(&mut reply)) {
                peer.hear(std::str::from_utf8(&reply[..len]).unwrap(), self.kills);
                idle = false;
            }
        }
        if idle {
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// Goes on until `done`.
    fn until(&mut self, sends: bool, mut done: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < 3 * DEADLINE, "{:?}", self.state());
            self.turn(sends);
        }
    }

    fn answered(&self) -> u64 {
        self.peers.iter().map(|peer| peer.next - peer.lost).sum()
    }

    fn lost(&self) -> u64 {
        self.peers.iter().map(|peer| peer.lost).sum()
    }

    /// A process is dead. What was sent before may be lost.
    fn died(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.safe = peer.sent);
    }

    /// Whether each peer got an answer to something that was sent after the last process was killed.
    fn is_safe(&self) -> bool {
        self.peers.iter().all(|peer| peer.next > peer.safe)
    }

    fn state(&self) -> Vec<(u64, u64, u64)> {
        self.peers.iter().map(|peer| (peer.sent, peer.next, peer.safe)).collect()
    }
}

impl Numbers {
    fn hear(&mut self, reply: &str, kills: bool) {
        let mut words = reply.split(' ');
        let server = words.next().unwrap();
        let [place, number] = [(); 2].map(|()| words.next().unwrap().parse::<u64>().unwrap());
        assert!(number >= self.next, "{number} was answered twice, or too late: {}", self.next);
        if kills {
            assert!(number == self.next || number <= self.safe, "{} is lost: {reply}", self.next);
            self.lost += number - self.next;
        } else {
            assert_eq!(number, self.next, "one was lost, or the order is wrong");
            assert_eq!(place, number % REQUESTS, "a conversation was split");
            assert!(place == 0 || server == self.server, "two processes answer: {reply}");
        }
        self.next = number + 1;
        self.server = server.to_owned();
    }
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

const HAND_OVERS: &str =
    "handover::processes::no_request_is_lost_or_answered_twice_and_the_order_is_kept";

// O-4
#[test]
fn no_request_is_lost_or_answered_twice_and_the_order_is_kept() {
    if let Some(path) = child::part() {
        return serve(Path::new(&path));
    }
    let hand_overs = times("DATAGRAMMAR_HAND_OVERS", 10);
    let requests = times("DATAGRAMMAR_HAND_OVER_REQUESTS", 5_000);
    let (path, socket) = (temporary_path(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let mut load = Load::on(&socket, false);
    let start = || start(HAND_OVERS, &path, &socket);

    let mut servers = vec![start()];
    for n in 0..hand_overs {
        // Each hand-over is in the middle of the load.
        let before = (n + 1) * requests / (hand_overs + 1);
        load.until(true, |load| load.answered() >= before);
        let mut old = servers.pop().unwrap();
        servers.push(start());
        let mut success = None;
        load.until(true, |_| {
            success = old.ended();
            success.is_some()
        });
        assert_eq!(success, Some(true), "hand-over {n}");
    }
    load.until(true, |load| load.answered() >= requests);
    load.until(false, |load| load.peers.iter().all(|peer| peer.next == peer.sent));

    let answered = load.answered();
    println!("{hand_overs} hand-overs, {answered} requests, none lost, none answered twice");
}

const KILLS: &str = "handover::processes::a_process_that_is_killed_takes_only_what_was_read";

// O-5
#[test]
fn a_process_that_is_killed_takes_only_what_was_read() {
    if let Some(path) = child::part() {
        return serve(Path::new(&path));
    }
    let kills = times("DATAGRAMMAR_HAND_OVER_KILLS", 5);
    let (path, socket) = (temporary_path(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let mut load = Load::on(&socket, true);
    let mut rng = Rng::with_seed(5);
    let start = || start(KILLS, &path, &socket);

    let mut old = start();
    let mut olds = 0;
    for _ in 0..kills {
        let before = load.answered();
        load.until(true, |load| load.answered() >= before + 100);
        let mut new = start();
        // At any moment: before the new process begins, in the middle, or when the old one has ended.
        let before = load.answered();
        let answers = rng.u64(..600);
        load.until(true, |load| load.answered() >= before + answers);
        let kills_old = rng.bool();
        olds += u64::from(kills_old);
        let (killed, mut survivor) = if kills_old { (old, new) } else { (new, old) };
        drop(killed);
        load.died();
        if !kills_old {
            // The old one may have stopped reading. It goes on when a third one takes over.
            load.until(true, |_| survivor.ended().is_some() || UnixStream::connect(&path).is_ok());
            new = start();
            load.until(true, |_| {
                if new.ended().is_some() {
                    // It came too early.
                    new = start();
                }
                survivor.ended().is_some()
            });
            survivor = new;
        }
        load.until(true, |load| {
            if survivor.ended().is_some() {
                // It was connected to the process that was killed, and has got nothing.
                survivor = start();
            }
            load.is_safe()
        });
        old = survivor;
    }
    load.until(false, |load| load.peers.iter().all(|peer| peer.next == peer.sent));

    let (answered, lost) = (load.answered(), load.lost());
    println!("{kills} killed, {olds} of them old ones, {answered} requests answered, {lost} lost");
    assert!(lost <= kills * PEERS as u64 * AT_A_TIME, "{lost}");
}
