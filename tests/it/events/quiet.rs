//! H-8, H-9, and everything else that the rules call quiet.

use std::{error::Error, fmt, io, time::Duration};

use crate::support::BindNow;

use datagrammar::{BoxError, DropReason, Handler, Peer, RecvError, Server, Text, reply_if};
use tokio::time::sleep;

use super::{Failure, serve, settle};
use crate::{
    log::Log,
    support::{Net, Running, conversing},
};

// H-9
#[tokio::test(start_paused = true)]
async fn normal_operation_is_quiet() {
    let log = Log::capture();
    let net = Net::memory();
    let handler = conversing!(|peer| {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        match peer.recv_timeout(Duration::from_secs(1)).await {
            Err(RecvError::TimedOut) => Ok(peer.send(&"so silent?".to_owned()).await?),
            other => Err(format!("{other:?}").into()),
        }
    });
    let server = Server::builder(Text, handler).bind_now(net.socket()).unwrap();
    let handle = server.handle();
    let serving = Running::start(server).await;
    let peer = net.peer_of(&handle).await;

    assert_eq!(peer.ask("hello").await, "hello");
    assert_eq!(peer.recv_text().await, "so silent?");
    handle.drain(Duration::from_secs(1)).await;
    serving.stop().await;

    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

// H-9
#[tokio::test]
async fn normal_operation_over_the_loopback_is_quiet() {
    let log = Log::capture();
    let server = Server::builder(Text, async |text: String| text).bind("127.0.0.1:0").await;
    let server = Running::start(server.unwrap()).await;
    let peer = Net::Loopback("127.0.0.1").peer_of(&server.handle).await;

    assert_eq!(peer.ask("hello").await, "hello");
    server.stop().await;

    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

// H-8
#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_the_closed_error_at_shutdown_has_not_failed() {
    let log = Log::capture();
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            let wrap: fn(RecvError) -> BoxError = match peer.recv().await?.as_str() {
                "bare" => |error| error.into(),
                "wrapped" => |error| Failure("no request", error.into()).into(),
                "transparent" => |error| Transparent(error).into(),
                "within" => |error| Failure("no request", Transparent(error).into()).into(),
                _ => |error| io::Error::other(error).into(),
            };
            peer.send(&"ready".to_owned()).await?;
            Err(wrap(peer.recv().await.unwrap_err()))
        }))
        .await;
    let mut peers = Vec::new();
    for wrap in ["bare", "wrapped", "transparent", "within", "as I/O error"] {
        let peer = net.peer_of(&server.handle).await;
        peer.ask(wrap).await;
        peers.push(peer);
    }
    let handle = server.handle.clone();

    server.stop().await;

    let stats = handle.stats();
    assert_eq!((stats.conversations, stats.failed, stats.aborted), (5, 0, 0));
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

// H-8, G-12
#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_the_idle_error_has_not_failed() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        loop {
            let request = peer.recv().await?;
            peer.send(&request).await?;
        }
    }))
    .await;
    peer.ask("hello").await;

    sleep(Duration::from_secs(61)).await;

    let stats = server.handle.stats();
    assert_eq!((stats.conversations, stats.idle_timeouts, stats.failed), (1, 1, 0));
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
    server.stop().await;
}

// H-8, G-12
#[tokio::test(start_paused = true)]
async fn the_idle_error_is_recognized_inside_a_transparent_error() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        peer.recv().await?;
        Err(Transparent(peer.recv().await.unwrap_err()).into())
    }))
    .await;
    peer.send("hello").await;

    sleep(Duration::from_secs(61)).await;

    let stats = server.handle.stats();
    assert_eq!((stats.conversations, stats.idle_timeouts, stats.failed), (1, 1, 0));
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
    server.stop().await;
}

// H-1, H-8
#[tokio::test(start_paused = true)]
async fn other_errors_are_reported_even_at_shutdown_or_with_the_same_text() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        if peer.recv().await? == "early" {
            return Err(RecvError::Closed.to_string().into());
        }
        peer.recv().await.unwrap_err();
        Err("the goodbye was not found".into())
    }))
    .await;
    peer.send("early").await;
    peer.send("hello").await;
    settle().await;

    server.stop().await;

    let errors: Vec<_> = log.alarms().iter().map(|told| told.field("error").to_owned()).collect();
    assert_eq!(errors, ["the server is shutting down", "the goodbye was not found"]);
}

/// An error that shows the text and the source of another one as its own, like `#[error(transparent)]` of
/// `thiserror`.
#[derive(Debug)]
pub struct Transparent<E>(pub E);

impl<E: Error> fmt::Display for Transparent<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<E: Error> Error for Transparent<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

// D-3, D-19, R-3
#[tokio::test(start_paused = true)]
async fn datagrams_that_are_unread_unanswered_or_handled_are_quiet() {
    let log = Log::capture();
    let (unread, peer) = serve(conversing!(|_peer| { Ok(()) })).await;
    peer.send("unread").await;
    let (function, peer) = serve(async |text: String| text).await;
    peer.send(b"\xe9").await;
    let (silent, peer) = serve(reply_if(async |_: String| None::<String>)).await;
    peer.send("unanswered").await;
    let (patient, peer) = serve(conversing!(|peer| {
        match peer.recv().await {
            Err(RecvError::Decode(_)) => Ok(peer.send(&"what?".to_owned()).await?),
            other => Err(format!("{other:?}").into()),
        }
    }))
    .await;
    peer.send(b"\xe9").await;

    assert_eq!(peer.recv_text().await, "what?");
    settle().await;

    assert_eq!(unread.handle.stats().dropped(DropReason::Unread), 1);
    assert_eq!(function.handle.stats().decode_errors, 1);
    assert_eq!(silent.handle.stats().delivered, 1);
    assert_eq!(patient.handle.stats().decode_errors, 1);
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

// D-18
#[tokio::test(start_paused = true)]
async fn a_refused_source_is_quiet() {
    let log = Log::capture();
    let net = Net::memory();
    let builder = Server::builder(Text, async |text: String| text).source_filter(|_| false);
    let server = net.serve(builder).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("hello").await;
    settle().await;

    assert_eq!(server.handle.stats().dropped(DropReason::Refused), 1);
    server.stop().await;
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

// L-11, L-12
#[tokio::test(start_paused = true)]
async fn aborted_conversations_and_waiting_datagrams_at_shutdown_are_quiet() {
    let log = Log::capture();
    let (server, peer) = serve(Sleeps).await;
    let handle = server.handle.clone();
    peer.send("first").await;
    peer.send("second").await;
    settle().await;

    server.stop().await;

    let stats = handle.stats();
    assert_eq!((stats.aborted, stats.dropped(DropReason::ShuttingDown)), (1, 1));
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

// L-19
#[tokio::test(start_paused = true)]
async fn dropping_the_serve_future_is_quiet() {
    let log = Log::capture();
    let (server, peer) = serve(Sleeps).await;
    peer.send("first").await;
    peer.send("second").await;
    settle().await;

    server.serving.abort();
    assert!(server.serving.await.unwrap_err().is_cancelled());
    settle().await;

    assert_eq!(server.handle.stats().aborted, 1);
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

/// Receives one packet and sleeps for an hour.
struct Sleeps;

impl Handler<String, String> for Sleeps {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        peer.recv().await?;
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    }
}
