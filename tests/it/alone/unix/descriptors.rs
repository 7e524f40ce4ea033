//! Whatever happens to a datagram, its descriptors are closed.

use std::{
    fs::File,
    os::{fd::AsFd, unix::net::UnixDatagram},
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use datagrammar::{
    Client, DatagramProtocol, DecodeError, DropReason, EncodeError, Limits, Overflow, Server,
    ServerBuilder, Text, Unix, UnnamedPeers,
};
use futures_util::FutureExt;

use super::{descriptors, runtime, send_fds};
use crate::{
    alone::alone,
    support::{BindNow, Gate, Running, conversing, temporary_path, until},
};

/// A server that passes descriptors, and a peer of it.
struct Course {
    name: &'static str,
    path: PathBuf,
    server: Running,
    peer: UnixDatagram,
    file: File,
    before: usize,
}

impl Course {
    async fn new<P>(name: &'static str, builder: ServerBuilder<P>) -> Self {
        let path = temporary_path();
        let unix = Unix::new(&path).fd_passing(true).unnamed_peers(UnnamedPeers::Drop);
        let server = Running::start(builder.bind_now(unix).unwrap()).await;
        let peer = UnixDatagram::bind(temporary_path()).unwrap();
        let file = File::open("/dev/null").unwrap();
        Self { name, path, server, peer, file, before: descriptors() }
    }

    fn send(&self, bytes: impl AsRef<[u8]>) {
        self.send_from(&self.peer, bytes);
    }

    fn send_from(&self, peer: &UnixDatagram, bytes: impl AsRef<[u8]>) {
        let fds = (self.file.as_fd(), 3);
        // The queue of the server may be full, and its worker needs this thread.
        send_fds(peer, &self.path, bytes.as_ref(), fds).unwrap();
    }

    async fn dropped(&self, reason: DropReason, count: u64) {
        until(|| self.server.handle.stats().dropped(reason) == count).await;
    }

    async fn active(&self, count: usize) {
        until(|| self.server.handle.stats().active_conversations == count).await;
    }

    async fn delivered(&self, count: u64) {
        until(|| self.server.handle.stats().delivered == count).await;
    }

    /// All descriptors are closed, though the server runs.
    async fn closed(&self) {
        self.has(0).await;
    }

    /// This many descriptors of peers are open.
    async fn has(&self, count: usize) {
        let right = async {
            while descriptors() != self.before + count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let (name, before) = (self.name, self.before);
        assert!(
            tokio::time::timeout(Duration::from_secs(20), right).await.is_ok(),
            "{name}: {} descriptors, {before} were open before, and {count} are expected",
            descriptors()
        );
    }
}

/// A protocol whose decoder panics.
#[derive(Clone, Debug)]
struct Panics;

impl DatagramProtocol for Panics {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, _: &[u8]) -> Result<String, DecodeError> {
        panic!("on purpose")
    }

    fn encode(&self, _: &String, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

// U-13
#[test]
fn descriptors_that_nobody_asked_for_are_closed() {
    alone(|| {
        runtime().block_on(async {
            // What the runtime opens once.
            tokio::time::sleep(Duration::from_millis(1)).await;
            handlers_that_do_not_take_them().await;
            datagrams_that_are_refused().await;
            datagrams_that_do_not_fit().await;
            datagrams_that_wait().await;
            ends_of_serving().await;
            receives_that_end_early().await;
            clients_that_do_not_ask().await;
        });
    });
}

async fn handlers_that_do_not_take_them() {
    let builder = Server::builder(Text, async |_: String| ());
    let course = Course::new("nobody asks", builder).await;
    for _ in 0..5 {
        course.send("x");
    }
    course.delivered(5).await;
    course.closed().await;

    let builder = Server::builder(Text, conversing!(|_peer| { Ok(()) }));
    let course = Course::new("returned before `recv`", builder).await;
    course.send("x");
    course.dropped(DropReason::Unread, 1).await;
    course.closed().await;

    for plain in [true, false] {
        let handler = conversing!(|peer| {
            match plain {
                true => peer.recv().await.map(drop)?,
                false => peer.recv_with_fds().await.map(drop)?,
            }
            Ok(())
        });
        let builder = Server::builder(Text, handler);
        let course = Course::new("did not decode", builder).await;
        course.send(b"\xff");
        course.delivered(1).await;
        course.closed().await;
    }
}

async fn datagrams_that_are_refused() {
    let handler = conversing!(|peer| { Ok(peer.recv_with_fds().await.map(drop)?) });
    let course = Course::new("a panic of the codec", Server::builder(Panics, handler)).await;
    course.send("x");
    course.delivered(1).await;
    course.closed().await;

    let echo = crate::unix::echo;
    let course = Course::new("source filter", echo().source_filter(|_| false)).await;
    course.send("x");
    course.dropped(DropReason::Refused, 1).await;
    course.closed().await;

    let filter = |_: &_| panic!("on purpose");
    let course = Course::new("a panic of the filter", echo().source_filter(filter)).await;
    course.send("x");
    course.dropped(DropReason::Refused, 1).await;
    course.closed().await;

    let course = Course::new("unnamed", echo()).await;
    course.send_from(&UnixDatagram::unbound().unwrap(), "x");
    course.dropped(DropReason::Unnamed, 1).await;
    course.closed().await;

    let limits = Limits::default().max_datagram_size(10);
    let course = Course::new("too long", echo().limits(limits)).await;
    course.send("x".repeat(11));
    course.dropped(DropReason::Truncated, 1).await;
    course.closed().await;
}

/// A handler that receives one datagram, and waits.
fn waiting(limits: Limits, gate: &Gate) -> ServerBuilder<Text> {
    let handler = conversing!(
        [gate] | peer | {
            peer.recv_with_fds().await?;
            gate.pass().await;
            while let Ok((_, fds)) = peer.recv_with_fds_timeout(Duration::ZERO).await {
                assert_eq!(fds.len(), 3);
            }
            Ok(())
        }
    );
    Server::builder(Text, handler).limits(limits)
}

async fn datagrams_that_do_not_fit() {
    for (name, limits, reason) in [
        ("queue full", Limits::default().max_queue_len(0), DropReason::QueueFull),
        ("queue full of bytes", Limits::default().max_queue_bytes(1), DropReason::QueueFull),
        ("memory limit", Limits::default().max_total_queue_bytes(1), DropReason::MemoryLimit),
    ] {
        let course = Course::new(name, waiting(limits, &Gate::closed())).await;
        course.send("first");
        course.active(1).await;
        course.send("second");
        course.dropped(reason, 1).await;
        course.closed().await;
    }

    let limits = Limits::default().max_conversations(1);
    let course = Course::new("conversation limit", waiting(limits, &Gate::closed())).await;
    course.send("first");
    course.active(1).await;
    let other = UnixDatagram::bind(temporary_path()).unwrap();
    course.send_from(&other, "second");
    course.dropped(DropReason::ConversationLimit, 1).await;
    drop(other);
    course.closed().await;

    let gate = Gate::closed();
    let limits = Limits::default().max_queue_len(1).overflow(Overflow::DropOldest);
    let course = Course::new("drop the oldest", waiting(limits, &gate)).await;
    for n in 0..5 {
        course.send("x");
        match n {
            0 => course.active(1).await,
            n => until(|| course.server.handle.stats().received == n + 1).await,
        }
    }
    course.dropped(DropReason::QueueFull, 3).await;
    course.has(3).await;
    gate.open_once();
    course.active(0).await;
    course.closed().await;
}

async fn datagrams_that_wait() {
    // The opening datagram waits too, if the handler awaits something before it receives.
    let gate = Gate::closed();
    let handler = conversing!(
        [gate] | peer | {
            gate.pass().await;
            let _ = peer.recv().await?;
            Ok(())
        }
    );
    let mut course = Course::new("waits", Server::builder(Text, handler)).await;
    course.send("first");
    course.send("second");
    until(|| course.server.handle.stats().received == 2).await;
    course.has(6).await;
    gate.open_once();
    // The second datagram opens another conversation.
    course.delivered(1).await;
    course.has(3).await;
    gate.open_once();
    course.active(0).await;
    course.closed().await;

    // The conversation is aborted before it has received. The server ends too, and its socket is closed.
    course.send("first");
    course.has(3).await;
    course.server.handle.drain(Duration::ZERO).await;
    course.before -= 1;
    course.closed().await;
}

async fn ends_of_serving() {
    let gate = Gate::closed();
    let limits = Limits::default().shutdown_grace(Duration::ZERO);
    let mut course = Course::new("waits at shutdown", waiting(limits, &gate)).await;
    for n in 0..4 {
        course.send("x");
        until(|| course.server.handle.stats().received == n + 1).await;
    }
    course.has(9).await;
    course.server.handle.shutdown().await;
    let serving = std::mem::replace(&mut course.server.serving, tokio::spawn(async { Ok(()) }));
    serving.await.unwrap().unwrap();
    // The server is dropped, and its socket too. A second count is of a server that stays.
    course.before -= 1;
    course.closed().await;

    let path = temporary_path();
    let unix = Unix::new(&path).fd_passing(true);
    let server = crate::unix::echo().bind_now(unix).unwrap();
    let (peer, file) = (UnixDatagram::bind(temporary_path()).unwrap(), "/dev/null");
    let file = File::open(file).unwrap();
    let handle = server.handle();
    let before = descriptors();
    let send = |path: &Path| send_fds(&peer, path, b"x", (file.as_fd(), 3)).unwrap();
    let serve_once = async || {
        let ends = async {
            handle.ready().await;
            handle.shutdown().await;
        };
        tokio::join!(server.serve(), ends).0.unwrap();
    };
    serve_once().await;
    send(&path);
    serve_once().await;
    assert_eq!(handle.stats().dropped(DropReason::Stale), 1);
    assert_eq!(descriptors(), before, "stale");
    send(&path);
    drop(server);
    assert_eq!(descriptors(), before - 1, "the socket of a server that does not serve is closed");
}

async fn receives_that_end_early() {
    let gate = Gate::closed();
    let handler = conversing!(
        [gate] | peer | {
            peer.recv().await?;
            for asks in [true, false] {
                {
                    // It is dropped after a datagram has come.
                    let mut waits = pin!(peer.recv_with_fds());
                    assert!(waits.as_mut().now_or_never().is_none());
                    gate.pass().await;
                }
                if asks {
                    assert_eq!(peer.recv_with_fds().await?.1.len(), 3, "nothing was consumed");
                } else {
                    peer.recv().await?;
                }
            }
            gate.pass().await;
            Ok(())
        }
    );
    let course = Course::new("a dropped `recv`", Server::builder(Text, handler)).await;
    course.send("first");
    course.active(1).await;
    for n in 2..=3 {
        course.send("x");
        until(|| course.server.handle.stats().received == n).await;
        course.has(3).await;
        gate.open_once();
        course.delivered(n).await;
    }
    course.closed().await;
    gate.open_once();
    course.active(0).await;
    assert_eq!(course.server.handle.stats().panicked, 0);
}

async fn clients_that_do_not_ask() {
    let server = UnixDatagram::bind(temporary_path()).unwrap();
    let path = server.local_addr().unwrap().as_pathname().unwrap().to_owned();
    let own = temporary_path();
    let file = File::open("/dev/null").unwrap();
    let connect = async || {
        let unix = Unix::new(&path).local_addr(&own).fd_passing(true);
        Client::connect(unix, Text).await.unwrap()
    };
    let client = connect().await;
    let before = descriptors();
    let send = |bytes: &[u8]| send_fds(&server, &own, bytes, (file.as_fd(), 3)).unwrap();

    for _ in 0..3 {
        send(b"x");
        assert_eq!(client.recv().await.unwrap(), "x");
    }
    assert_eq!(descriptors(), before, "`recv` of a client");
    send(b"\xff");
    client.recv_with_fds().await.unwrap_err();
    assert_eq!(descriptors(), before, "a client does not decode it");
    for _ in 0..4 {
        send(b"x");
    }
    client.recv().await.unwrap();
    drop(client);
    assert_eq!(descriptors(), before - 1, "a client that is dropped with datagrams left");
}
