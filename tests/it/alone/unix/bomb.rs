//! A peer that sends as many descriptors as it can.

use std::{
    fs::File,
    os::{fd::AsFd, unix::net::UnixDatagram},
    path::Path,
    sync::atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::Duration,
};

use datagrammar::{DropReason, Limits, Server, ServerBuilder, Text, Unix};

use super::{descriptors, runtime, send_fds};
use crate::{
    alone::alone,
    support::{BindNow, Gate, Running, conversing, temporary_path, until},
};

/// The most descriptors that Linux passes with one datagram.
const MOST: usize = 253;
const DATAGRAMS: usize = 10_000;

/// Sends the bomb to a server, and returns how many descriptors this process has had in addition, at most.
fn most_descriptors<P>(builder: ServerBuilder<P>, unix: impl Fn(&Path) -> Unix) -> usize {
    let (over, most, looks) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let path = temporary_path();
    let runtime = runtime();
    let server = {
        let _entered = runtime.enter();
        builder.bind_now(unix(&path)).unwrap()
    };
    let server = runtime.block_on(Running::start(server));
    let handle = server.handle.clone();
    let (peer, file) =
        (UnixDatagram::bind(temporary_path()).unwrap(), File::open("/dev/null").unwrap());
    let before = descriptors();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..DATAGRAMS {
                // Another user's limit counts the descriptors that are on their way.
                while send_fds(&peer, &path, b"boom", (file.as_fd(), MOST)).is_err() {
                    thread::sleep(Duration::from_millis(1));
                }
                if n % 16 == 0 {
                    // So that the other thread can look at the descriptors.
                    thread::yield_now();
                }
            }
        });
        scope.spawn(|| {
            while !over.load(SeqCst) {
                most.fetch_max(descriptors(), Relaxed);
                looks.fetch_add(1, Relaxed);
            }
        });
        let received = until(|| handle.stats().received == DATAGRAMS as u64);
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(60), received).await })
            .unwrap();
        over.store(true, SeqCst);
    });
    assert!(looks.into_inner() > 10);
    drop((peer, file));
    runtime.block_on(server.stop());
    // The peer, the file and the socket of the server are closed now.
    assert_eq!(descriptors(), before - 3, "all descriptors of the peer are closed");
    most.into_inner().saturating_sub(before)
}

/// A batch ends with at most this many, and 256 wait.
const ALLOWED: usize = 64 + MOST + 256 + 30;

// U-13, G-1
#[test]
fn a_server_that_does_not_ask_has_few_descriptors_open() {
    alone(|| {
        let handler = async |_: String| ();
        let most = most_descriptors(Server::builder(Text, handler), |path| {
            Unix::new(path).fd_passing(true)
        });
        assert!(most <= ALLOWED, "{most}");
    });
}

// U-13
#[test]
fn a_conversation_that_waits_has_few_descriptors_open() {
    alone(|| {
        let gate = Gate::closed();
        let handler = conversing!(
            [gate] | peer | {
                peer.recv().await?;
                gate.pass().await;
                Ok(())
            }
        );
        let limits = Limits::default().shutdown_grace(Duration::ZERO);
        let builder = Server::builder(Text, handler).limits(limits);
        let most = most_descriptors(builder, |path| Unix::new(path).fd_passing(true));
        assert!(most <= ALLOWED, "{most}");
    });
}

// U-14
#[test]
fn with_credentials_alone_no_descriptor_enters_the_process() {
    alone(|| {
        for batch_io in [true, false] {
            let handler = conversing!(|peer| {
                peer.recv().await?;
                assert!(peer.credentials().is_some());
                Ok(())
            });
            let most = most_descriptors(Server::builder(Text, handler), |path| {
                Unix::new(path).recv_credentials(true).batch_io(batch_io)
            });
            assert!(most <= 5, "{most}");
        }
    });
}

// G-1, U-13
#[test]
fn datagrams_whose_descriptors_are_beyond_the_limit_are_dropped_and_counted() {
    alone(|| {
        for (limits, most) in
            [(Limits::default(), 256), (Limits::default().max_queued_fds(400), 400)]
        {
            runtime().block_on(beyond(limits, most));
        }
    });
}

async fn beyond(limits: Limits, most: usize) {
    let gate = Gate::closed();
    let handler = conversing!(
        [gate] | peer | {
            peer.recv().await?;
            gate.pass().await;
            for expected in [200, most - 200, 0] {
                assert_eq!(peer.recv_with_fds().await?.1.len(), expected);
            }
            // All of them have been received, so others may wait.
            gate.pass().await;
            assert_eq!(peer.recv_with_fds().await?.1.len(), 253);
            Ok(())
        }
    );
    let path = temporary_path();
    let builder = Server::builder(Text, handler).limits(limits);
    let server = builder.bind_now(Unix::new(&path).fd_passing(true)).unwrap();
    let server = Running::start(server).await;
    let stats = || server.handle.stats();
    let peer = UnixDatagram::bind(temporary_path()).unwrap();
    let file = File::open("/dev/null").unwrap();
    let before = descriptors();
    let send = |count| send_fds(&peer, &path, b"x", (file.as_fd(), count)).unwrap();

    peer.send_to(b"first", &path).unwrap();
    until(|| stats().active_conversations == 1).await;
    [200, most - 199, most - 200].into_iter().for_each(send);
    peer.send_to(b"none", &path).unwrap();
    until(|| stats().received == 5).await;
    assert_eq!(descriptors(), before + most);
    assert_eq!(stats().dropped(DropReason::Descriptors), 1);
    gate.open_once();
    until(|| stats().delivered == 4).await;
    send(253);
    until(|| stats().received == 6).await;
    gate.open_once();
    until(|| stats().active_conversations == 0).await;

    assert_eq!((stats().delivered, stats().failed, stats().panicked), (5, 0, 0));
    assert_eq!(descriptors(), before);
    server.stop().await;
}
