//! The responses of functions: those of one batch leave together.

use std::{
    os::unix::net::UnixDatagram,
    sync::{Arc, OnceLock},
    time::Duration,
};

use datagrammar::{Addr, Limits, Server, ServerHandle, Text, Unix, with_state};
use tracing::Level;

use super::{Foreign, echo, sending::more_than_the_queue};
use crate::{
    log::Log,
    support::{BindNow, Running, temporary_path, until},
};

// U-9, S-4
#[tokio::test]
async fn responses_to_a_peer_that_does_not_read_wait_and_others_are_sent() {
    for batch_io in [true, false] {
        let path = temporary_path();
        let unix = Unix::new(&path).batch_io(batch_io);
        let server = Running::start(echo().bind_now(unix).unwrap()).await;
        let slow = [Foreign::new(), Foreign::new()];
        for n in 0..more_than_the_queue() {
            for slow in &slow {
                slow.0.send_to(n.to_string().as_bytes(), &path).await.unwrap();
            }
            assert_eq!(Foreign::new().ask(&path, "hello").await, "hello");
        }

        for slow in &slow {
            for n in 0..more_than_the_queue() {
                assert_eq!(slow.recv().await, n.to_string());
            }
        }
        let stats = server.handle.stats();
        assert_eq!((stats.send_timeouts, stats.send_errors, stats.total_dropped()), (0, 0, 0));
        server.stop().await;
    }
}

// U-19
#[tokio::test(start_paused = true)]
async fn a_response_waits_for_at_most_the_idle_timeout() {
    let path = temporary_path();
    let limits = Limits::default().idle_timeout(Duration::from_millis(500));
    let server = Running::start(echo().limits(limits).bind_now(Unix::new(&path)).unwrap()).await;
    let slow = Foreign::new();
    let count = more_than_the_queue() as u64;
    for n in 0..count {
        slow.0.send_to(n.to_string().as_bytes(), &path).await.unwrap();
    }

    let stats = || server.handle.stats();
    until(|| stats().sent + stats().send_timeouts == count).await;

    assert!(stats().send_timeouts > 0);
    assert_eq!((stats().send_errors, stats().failed), (0, 0));
    for n in 0..stats().sent {
        assert_eq!(slow.recv().await, n.to_string());
    }
    assert_eq!(slow.ask(&path, "again").await, "again");
    server.stop().await;
}

// U-8, S-9
#[tokio::test]
async fn a_peer_that_has_vanished_stops_no_other_response_of_the_batch() {
    for batch_io in [true, false] {
        let path = temporary_path();
        let server = echo().bind_now(Unix::new(&path).batch_io(batch_io)).unwrap();
        let (before, after) = (Foreign::new(), Foreign::new());
        before.0.send_to(b"1", &path).await.unwrap();
        let gone = UnixDatagram::bind(temporary_path()).unwrap();
        gone.send_to(b"2", &path).unwrap();
        drop(gone);
        after.0.send_to(b"3", &path).await.unwrap();

        let server = Running::start(server).await;

        assert_eq!((before.recv().await, after.recv().await), ("1".into(), "3".into()));
        until(|| server.handle.stats().send_errors == 1).await;
        assert_eq!((server.handle.stats().sent, server.handle.stats().failed), (2, 0));
        server.stop().await;
    }
}

// S-9, H-14
#[tokio::test]
async fn a_response_that_the_kernel_refuses_is_not_logged_in_the_span_of_another_peer() {
    let log = Log::capture();
    let path = temporary_path();
    let long = async |text: String| if text == "long" { "x".repeat(3_000) } else { text };
    let server = Server::builder(Text, long).bind_now(Unix::new(&path)).unwrap();
    let (gone_path, other) = (temporary_path(), Foreign::new());
    let gone = UnixDatagram::bind(&gone_path).unwrap();
    gone.send_to(b"1", &path).unwrap();
    drop(gone);
    // This response is too long for the batch, so the batch leaves before it.
    other.0.send_to(b"long", &path).await.unwrap();

    let server = Running::start(server).await;

    assert_eq!(other.recv().await.len(), 3_000);
    until(|| server.handle.stats().send_errors == 1).await;
    server.stop().await;
    let warnings = log.at(Level::WARN);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].field("peer"), gone_path.display().to_string());
    assert!(warnings[0].spans.is_empty(), "{warnings:?}");
}

/// Answers "a" with "1". Before it answers "b", it sends "2" with a sender of its own.
async fn sends_too(server: Arc<OnceLock<ServerHandle>>, request: String, peer: Addr) -> String {
    if request == "a" {
        return "1".into();
    }
    let sender = server.get().unwrap().sender::<String>(peer).unwrap();
    sender.send("2".to_owned()).await.unwrap();
    "3".into()
}

// S-4
#[tokio::test]
async fn a_packet_that_is_sent_after_a_response_arrives_after_it() {
    let path = temporary_path();
    let handle = Arc::new(OnceLock::new());
    let function = with_state(Arc::clone(&handle), sends_too);
    let server = Server::builder(Text, function).bind_now(Unix::new(&path)).unwrap();
    handle.set(server.handle()).unwrap();
    let peer = Foreign::new();
    // Both are there before the server serves, so they are one batch.
    peer.0.send_to(b"a", &path).await.unwrap();
    peer.0.send_to(b"b", &path).await.unwrap();

    let server = Running::start(server).await;

    for expected in ["1", "2", "3"] {
        assert_eq!(peer.recv().await, expected);
    }
    server.stop().await;
}

// L-11, S-15
#[tokio::test]
async fn responses_that_wait_do_not_hold_up_a_shutdown_beyond_its_grace() {
    let path = temporary_path();
    let limits = Limits::default().shutdown_grace(Duration::from_millis(50));
    let server = Running::start(echo().limits(limits).bind_now(Unix::new(&path)).unwrap()).await;
    let slow = Foreign::new();
    for n in 0..more_than_the_queue() {
        slow.0.send_to(n.to_string().as_bytes(), &path).await.unwrap();
    }
    until(|| server.handle.stats().received == more_than_the_queue() as u64).await;

    server.stop().await;

    // The path is free again.
    let server = Running::start(echo().bind_now(Unix::new(&path)).unwrap()).await;
    assert_eq!(Foreign::new().ask(&path, "hello").await, "hello");
    server.stop().await;
}
