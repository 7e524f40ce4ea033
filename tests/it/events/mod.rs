//! What is logged and what is not: the rest of section H, and each rule that says that something is
//! reported or quiet.

mod broken;
mod diagnostics;
mod functions;
mod junk;
mod limits;
mod losses;
mod quiet;
mod spans;

use std::{
    error::Error,
    fmt, io,
    panic::panic_any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{
    Addr, BoxError, DatagramProtocol, DecodeError, EncodeError, Handler, IntoHandler, Json, Peer,
    Server, ServerContext, Text,
    testing::{Conditions, Network},
};
use tokio::{task::yield_now, time::sleep};
use tracing::Level;

use crate::{
    log::{Log, Told},
    support::{Bytes, Net, Running, conversing},
};

/// Serves on a network in memory, with a peer.
async fn serve<Form>(
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> (Running, Bytes) {
    let net = Net::memory();
    let server = net.serve_text(handler).await;
    let peer = net.peer_of(&server.handle).await;
    (server, peer)
}

/// Waits until all tasks that can run now have run.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// Sends `datagram` to a server with this handler; returns the one event at WARN or above, which must name
/// the peer.
async fn report<Form>(
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
    datagram: impl AsRef<[u8]>,
) -> Told {
    let log = Log::capture();
    let (server, peer) = serve(handler).await;

    peer.send(datagram).await;
    settle().await;
    server.stop().await;

    let alarm = log.alarm();
    assert_eq!(alarm.field("peer"), peer.addr().to_string());
    alarm
}

/// An error with a text and a source.
#[derive(Debug)]
struct Failure(&'static str, BoxError);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.1)
    }
}

// H-1
#[tokio::test(start_paused = true)]
async fn an_error_is_reported_with_its_sources() {
    let handler = conversing!(|peer| {
        peer.recv().await?;
        Err(Failure("the order", Failure("the item", "is unknown".into()).into()).into())
    });

    let told = report(handler, "request").await;

    assert_eq!(told.level, Level::ERROR);
    assert_eq!(told.field("error"), "the order: the item: is unknown");
}

// H-1
#[tokio::test(start_paused = true)]
async fn an_error_after_waiting_is_reported_in_the_same_way() {
    let handler = conversing!(|peer| {
        peer.recv().await?;
        sleep(Duration::from_secs(5)).await;
        Err("too late".into())
    });
    let log = Log::capture();
    let (server, peer) = serve(handler).await;

    peer.send("request").await;
    sleep(Duration::from_secs(6)).await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("error")), (Level::ERROR, "too late"));
    assert_eq!(told.field("peer"), peer.addr().to_string());
    server.stop().await;
}

// H-2
#[tokio::test(start_paused = true)]
async fn an_error_before_the_first_recv_is_reported() {
    let told = report(conversing!(|_peer| { Err("not today".into()) }), "request").await;

    assert_eq!((told.level, told.field("error")), (Level::ERROR, "not today"));
}

// H-3
#[tokio::test(start_paused = true)]
async fn a_panic_is_reported_with_its_text() {
    async fn told(panic: fn(), waits: bool) -> Told {
        let handler = conversing!(|peer| {
            peer.recv().await?;
            if waits {
                yield_now().await;
            }
            panic();
            Ok(())
        });
        report(handler, "request").await
    }

    for waits in [false, true] {
        let literal = told(|| panic!("a literal"), waits).await;
        let made = told(|| panic!("made of {}", 2), waits).await;
        let other = told(|| panic_any(42), waits).await;

        assert_eq!([literal.level, made.level, other.level], [Level::ERROR; 3]);
        assert_eq!(literal.field("error"), "panicked: a literal");
        assert_eq!(made.field("error"), "panicked: made of 2");
        assert_eq!(other.field("error"), "panicked with a payload that is not text");
    }
}

// H-5
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_protocol_is_reported_like_one_of_the_handler() {
    struct Broken;

    impl DatagramProtocol for Broken {
        type Incoming = String;
        type Outgoing = String;

        fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
            assert!(!datagram.is_empty(), "a case that was not thought of");
            Text.decode(datagram)
        }

        fn encode(&self, _: &String, _: &mut Vec<u8>) -> Result<(), EncodeError> {
            panic!("nothing can be said")
        }
    }

    for (datagram, expected) in
        [("", "panicked: a case that was not thought of"), ("x", "panicked: nothing can be said")]
    {
        let log = Log::capture();
        let net = Net::memory();
        let server = net.serve(Server::builder(Broken, async |text: String| text)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send(datagram).await;
        settle().await;

        let told = log.alarm();
        assert_eq!((told.level, told.field("error")), (Level::ERROR, expected));
        assert_eq!(told.field("peer"), peer.addr().to_string());
        server.stop().await;
    }
}

// H-6
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_source_filter_is_reported() {
    let log = Log::capture();
    let net = Net::memory();
    let check = |_: &Addr| panic!("never heard of them");
    let builder = Server::builder(Text, async |text: String| text).source_filter(check);
    let server = net.serve(builder).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("request").await;
    settle().await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("error")), (Level::ERROR, "panicked: never heard of them"));
    assert_eq!(told.field("peer"), peer.addr().to_string());
    server.stop().await;
}

// S-9
#[tokio::test(start_paused = true)]
async fn a_reply_that_the_kernel_refuses_logs_a_warning() {
    let log = Log::capture();
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let server = net.serve_text(async |text: String| text).await;
    let peer = net.peer_of(&server.handle).await;
    network.fail_send(server.handle.local_addrs()[0].clone(), io::ErrorKind::PermissionDenied, 1);

    peer.send("lost").await;
    assert_eq!(peer.ask("answered").await, "answered");

    let told = log.alarm();
    assert_eq!((told.level, told.field("peer")), (Level::WARN, &*peer.addr().to_string()));
    assert_eq!(server.handle.stats().send_errors, 1);
    server.stop().await;
}

// H-13
#[tokio::test(start_paused = true)]
async fn no_event_repeats_bytes_of_a_datagram_however_the_error_is_wrapped() {
    let quoting = || DecodeError::codec("not a decimal number").with_source("SECRET");
    let bare: Arc<dyn Fn() -> BoxError + Send + Sync> = Arc::new(move || quoting().into());
    let wrapped: Arc<dyn Fn() -> BoxError + Send + Sync> =
        Arc::new(move || Failure("no request", quoting().into()).into());
    let as_io: Arc<dyn Fn() -> BoxError + Send + Sync> =
        Arc::new(move || io::Error::other(quoting()).into());
    let deep: Arc<dyn Fn() -> BoxError + Send + Sync> =
        Arc::new(move || Failure("no request", io::Error::other(quoting()).into()).into());

    for error in [bare, wrapped, as_io, deep] {
        let handler = conversing!(
            [error] | peer | {
                peer.recv().await?;
                Err(error())
            }
        );

        let told = report(handler, "SECRET").await;

        assert!(told.field("error").ends_with("not a decimal number"), "{told:?}");
        assert!(!format!("{told:?}").contains("SECRET"), "{told:?}");
    }
}

// H-13, H-19
#[tokio::test(start_paused = true)]
async fn the_error_of_a_parser_that_quotes_its_input_is_not_logged() {
    struct PassesOn;

    impl Handler<u32, u32> for PassesOn {
        async fn handle(&self, peer: &mut Peer<u32, u32>) -> Result<(), BoxError> {
            let error = peer.recv().await.unwrap_err();
            assert!(!error.to_string().contains("SECRET"), "{error}");
            Err(error.into())
        }
    }

    let log = Log::capture();
    let net = Net::memory();
    let server = net.serve(Server::builder(Json::<u32>::new(), PassesOn)).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("\"SECRET\"").await;
    settle().await;

    let told = log.at(Level::DEBUG).remove(0);
    assert!(told.field("error").starts_with("the datagram is not a packet of the protocol: "));
    assert!(!format!("{told:?}").contains("SECRET"), "{told:?}");
    server.stop().await;
}

// H-3
#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_it_is_formatted_is_reported_as_a_panic() {
    let handler = conversing!(|peer| {
        peer.recv().await?;
        Err(Unspeakable.into())
    });

    let told = report(handler, "request").await;

    assert_eq!((told.level, told.field("error")), (Level::ERROR, "panicked: no words"));
}

/// An error that panics when it is formatted.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words")
    }
}

impl Error for Unspeakable {}

/// Fails in the background, once each time serving starts.
struct Failing(fn() -> Result<(), BoxError>);

impl Handler<String, String> for Failing {
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        let fail = self.0;
        context.spawn(async move {
            yield_now().await;
            fail()
        });
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        Ok(peer.send(&request).await?)
    }
}

// H-16
#[tokio::test(start_paused = true)]
async fn a_background_task_that_fails_is_reported_once_and_serving_goes_on() {
    let error: fn() -> _ = || Err(Failure("the feed", "has dried up".into()).into());
    let panic: fn() -> _ = || panic!("at the worst time");
    let unspeakable: fn() -> _ = || Err(Unspeakable.into());

    for (fail, expected) in [
        (error, "the feed: has dried up"),
        (panic, "panicked: at the worst time"),
        (unspeakable, "panicked: no words"),
    ] {
        let log = Log::capture();
        let (server, peer) = serve(Failing(fail)).await;
        settle().await;

        let told = log.alarm();
        assert_eq!(peer.ask("still there?").await, "still there?");
        server.stop().await;
        assert_eq!((told.level, told.field("error")), (Level::ERROR, expected));
        assert!(!told.fields.contains_key("peer"));
        assert_eq!(log.alarms().len(), 1);
    }
}

// H-16
#[tokio::test(start_paused = true)]
async fn a_background_task_that_returns_is_not_reported() {
    static DONE: AtomicU64 = AtomicU64::new(0);
    let log = Log::capture();
    let work = || {
        DONE.fetch_add(1, Relaxed);
        Ok(())
    };

    let (server, _peer) = serve(Failing(work)).await;
    settle().await;
    server.stop().await;

    assert_eq!(DONE.load(Relaxed), 1);
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}
