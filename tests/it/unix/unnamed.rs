//! Peers that have no name.

use std::{io::ErrorKind, os::unix::net::UnixDatagram, path::Path, sync::Arc};

use datagrammar::{
    BoxError, DropReason, SendError, Server, ServerBuilder, Text, Unix, UnnamedPeers,
};
use tokio::sync::Mutex;
use tracing::Level;

use super::{Foreign, echo};
use crate::{
    log::Log,
    support::{BindNow, Gate, Running, conversing, temporary_path, until},
};

fn send_unnamed(path: &Path, text: &str) {
    UnixDatagram::unbound().unwrap().send_to(text.as_bytes(), path).unwrap();
}

/// A server, and its path.
async fn serve<P>(
    builder: ServerBuilder<P>,
    action: UnnamedPeers,
) -> (std::path::PathBuf, Running) {
    let path = temporary_path();
    let unix = Unix::new(&path).unnamed_peers(action);
    (path, Running::start(builder.bind_now(unix).unwrap()).await)
}

// U-6, G-9
#[tokio::test]
async fn their_datagrams_are_dropped_and_counted_quietly() {
    let log = Log::capture();
    let (path, server) = serve(echo(), UnnamedPeers::default()).await;

    for _ in 0..5 {
        send_unnamed(&path, "hello");
    }
    until(|| server.handle.stats().dropped(DropReason::Unnamed) == 5).await;
    assert_eq!(Foreign::new().ask(&path, "named").await, "named");

    let stats = server.handle.stats();
    assert_eq!((stats.delivered, stats.received, stats.total_dropped()), (1, 6, 5));
    server.stop().await;
    assert_eq!(log.alarms().len(), 0, "{:?}", log.alarms());
}

// U-6
#[tokio::test]
async fn a_warning_is_logged_if_that_was_asked_for() {
    let log = Log::capture();
    let (path, server) = serve(echo(), UnnamedPeers::Warn).await;

    send_unnamed(&path, "hello");
    until(|| server.handle.stats().dropped(DropReason::Unnamed) == 1).await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("peer")), (Level::WARN, "<unnamed>"));
    // There are 10 events per second. How many seconds this takes depends on the machine.
    let since = std::time::Instant::now();
    for sent in 2..=200 {
        send_unnamed(&path, "hello");
        until(|| server.handle.stats().dropped(DropReason::Unnamed) == sent).await;
    }
    let most = 10 * (2 + since.elapsed().as_secs() as usize);
    assert!(log.alarms().len() <= most, "{} events, {most} are allowed", log.alarms().len());
    assert_eq!(server.handle.stats().delivered, 0);
    server.stop().await;
}

// U-7, D-10
#[tokio::test]
async fn each_of_their_datagrams_is_a_conversation_of_its_own() {
    let gate = Gate::closed();
    let log = Arc::new(Mutex::new(Vec::new()));
    let handler = conversing!(
        [gate, log] | peer | {
            let text = peer.recv().await?;
            assert!(peer.addr().is_unnamed() && peer.addr().to_string() == "<unnamed>");
            let error = peer.send(&text).await.unwrap_err();
            let SendError::Io(error) = error else { panic!("{error:?}") };
            log.lock().await.push((text, error.kind()));
            gate.pass().await;
            Ok(())
        }
    );
    let (path, server) = serve(Server::builder(Text, handler), UnnamedPeers::Serve).await;
    let one = UnixDatagram::unbound().unwrap();

    for text in ["first", "second", "third"] {
        one.send_to(text.as_bytes(), &path).unwrap();
    }
    until(|| server.handle.stats().active_conversations == 3).await;

    let mut seen = log.lock().await.clone();
    seen.sort_by_key(|(text, _)| text.clone());
    let refused = |text: &str| (text.to_owned(), ErrorKind::InvalidInput);
    assert_eq!(seen, ["first", "second", "third"].map(refused));
    gate.open();
    until(|| server.handle.stats().active_conversations == 0).await;
    server.stop().await;
}

// U-7, H-1
#[tokio::test]
async fn an_error_of_the_handler_is_reported_as_itself() {
    let log = Log::capture();
    let handler = async |_: String| -> Result<(), BoxError> { Err("the disk is full".into()) };
    let (path, server) = serve(Server::builder(Text, handler), UnnamedPeers::Serve).await;

    send_unnamed(&path, "hello");
    until(|| !log.alarms().is_empty()).await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("peer")), (Level::ERROR, "<unnamed>"));
    assert_eq!(told.field("error"), "the disk is full");
    server.stop().await;
}

// U-7
#[tokio::test]
async fn a_function_whose_response_cannot_leave_has_not_failed() {
    let log = Log::capture();
    let (path, server) = serve(echo(), UnnamedPeers::Serve).await;

    send_unnamed(&path, "hello");
    until(|| !log.alarms().is_empty()).await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("peer")), (Level::WARN, "<unnamed>"));
    assert!(told.field("error").contains("no name"), "{told:?}");
    let stats = server.handle.stats();
    assert_eq!((stats.failed, stats.send_errors), (0, 1));
    server.stop().await;
}

// S-18, U-7
#[tokio::test]
async fn there_is_no_sender_to_a_peer_without_a_name() {
    let (_path, server) = serve(echo(), UnnamedPeers::Serve).await;
    let unnamed = UnixDatagram::unbound().unwrap().local_addr().unwrap();

    let error = server.handle.sender::<String>(unnamed).unwrap_err();

    assert!(matches!(error, datagrammar::SenderError::Unreachable), "{error:?}");
    server.stop().await;
}
