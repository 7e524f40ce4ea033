//! L-1 to L-6: from `bind` to serving.

use std::{
    error::Error,
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{BoxError, Handler, Peer, ServeError, ServerContext};
use tokio::time::{Instant, sleep, timeout};
use tracing::Level;

use super::{Sleeps, Steps, TestServer, echo, ended, in_memory, settle, starting};
use crate::{
    log::Log,
    support::{Gate, Net, conversing, everywhere, until, within_deadline},
};

everywhere! {
    // L-1
    async fn datagrams_from_before_the_first_serve_are_served_in_order(net) {
        let server = TestServer::bind(&net, echo);
        let peer = net.peer_of(&server.handle).await;
        for datagram in ["one", "two", "three"] {
            peer.send(datagram).await;
        }

        let serving = server.serve().await;

        let replies = [peer.recv_text().await, peer.recv_text().await, peer.recv_text().await];
        assert_eq!(replies, ["one", "two", "three"]);
        server.stop(serving).await;
    }

    // L-2
    async fn datagrams_that_come_while_the_handler_starts_are_served_afterwards(net) {
        let (steps, gate) = (Steps::default(), Gate::closed());
        let handler = starting!([steps, gate] |_service| {
            steps.note("starts");
            gate.pass().await;
            steps.note("has started");
            Ok(())
        }, conversing!([steps] |peer| {
            steps.note("serves");
            let request = peer.recv().await?;
            Ok(peer.send(&request).await?)
        }));
        let server = TestServer::bind(&net, handler);
        let peer = net.peer_of(&server.handle).await;

        let serving = server.begin();
        until(|| steps.contain("starts")).await;
        peer.send("early").await;
        gate.open();

        assert_eq!(peer.recv_text().await, "early");
        assert_eq!(steps.all(), ["starts", "has started", "serves"]);
        server.stop(serving).await;
    }

    // L-2
    async fn the_handler_starts_once_per_serving(net) {
        let steps = Steps::default();
        let handler = starting!([steps] |_service| { steps.note("starts"); Ok(()) }, echo);
        let server = TestServer::bind(&net, handler);
        let peer = net.peer_of(&server.handle).await;

        for expected in 1..=2 {
            let serving = server.serve().await;
            peer.ask("hello").await;
            peer.ask("hello again").await;

            assert_eq!(steps.all().len(), expected);
            server.stop(serving).await;
        }
    }

    // L-2
    async fn the_start_hook_gets_the_addresses_and_the_handle(net) {
        let steps = Steps::default();
        let handler = starting!([steps] |context| {
            assert_eq!(context.local_addrs(), context.handle().local_addrs());
            for address in context.local_addrs() {
                steps.note(address.to_string());
            }
            let handle = context.handle().clone();
            context.on_shutdown(async move { steps.note(handle.is_serving().to_string()) });
            Ok(())
        }, echo);
        let server = TestServer::bind(&net, handler);

        let serving = server.serve().await;
        server.stop(serving).await;

        let [address] = &server.handle.local_addrs()[..] else { panic!("one address is bound") };
        assert_eq!(steps.all(), [address.to_string(), "false".to_owned()]);
    }

    // L-3
    async fn the_handle_reports_whether_the_server_serves(net) {
        let (steps, gate) = (Steps::default(), Gate::closed());
        let handler = starting!([steps, gate] |_service| {
            steps.note("starts");
            gate.pass().await;
            Ok(())
        }, echo);
        let server = TestServer::bind(&net, handler);
        let is_serving = || server.handle.is_serving();

        assert!(!is_serving(), "the server is only bound");
        let serving = server.begin();
        until(|| steps.contain("starts")).await;
        assert!(!is_serving(), "the handler has not started yet");
        gate.open();
        assert!(server.handle.ready().await);
        assert!(is_serving(), "the server serves");
        within_deadline(server.handle.shutdown()).await;
        assert!(!is_serving(), "the server was shut down");
        ended(serving).await.unwrap();
    }

    // L-4
    async fn a_handler_that_cannot_start_ends_serving_and_may_start_later(net) {
        let (steps, attempts) = (Steps::default(), Arc::new(AtomicUsize::new(0)));
        let handler = starting!([steps, attempts] |context| {
            let cleans = steps.clone();
            context.on_shutdown(async move { cleans.note("cleans up") });
            if attempts.fetch_add(1, Relaxed) == 0 {
                return Err(NoDatabase.into());
            }
            Ok(())
        }, conversing!([steps] |peer| {
            let request = peer.recv().await?;
            steps.note(request.clone());
            Ok(peer.send(&request).await?)
        }));
        let server = TestServer::bind(&net, handler);
        let addresses = server.handle.local_addrs();
        let peer = net.peer_of(&server.handle).await;
        peer.send("early").await;

        let error = ended(server.begin()).await.unwrap_err();

        assert!(matches!(&error, ServeError::Start(cause) if cause.is::<NoDatabase>()));
        assert!(error.source().unwrap().is::<NoDatabase>());
        assert_eq!(steps.all(), ["cleans up"]);
        assert!(!server.handle.is_serving());
        let serving = server.serve().await;
        assert_eq!(server.handle.local_addrs(), addresses);
        assert_eq!(peer.ask("late").await, "late");
        server.stop(serving).await;
    }

    // L-6
    async fn serving_twice_at_the_same_time_is_refused_and_disturbs_nothing(net) {
        let (steps, gate) = (Steps::default(), Gate::closed());
        let handler = starting!([steps, gate] |_service| {
            steps.note("starts");
            gate.pass().await;
            Ok(())
        }, echo);
        let server = TestServer::bind(&net, handler);
        let peer = net.peer_of(&server.handle).await;

        let serving = server.begin();
        until(|| steps.contain("starts")).await;
        assert!(matches!(ended(server.begin()).await, Err(ServeError::AlreadyServing)));
        gate.open();
        assert_eq!(peer.ask("it serves").await, "it serves");
        assert!(matches!(ended(server.begin()).await, Err(ServeError::AlreadyServing)));

        assert!(server.handle.is_serving());
        assert_eq!(peer.ask("it still serves").await, "it still serves");
        assert_eq!(steps.all(), ["starts"]);
        server.stop(serving).await;
    }
}

#[derive(Debug)]
struct NoDatabase;

impl fmt::Display for NoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no database is there")
    }
}

impl Error for NoDatabase {}

// L-4
#[tokio::test(start_paused = true)]
async fn a_panic_while_the_handler_starts_is_an_error_of_serving() {
    let log = Log::capture();
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let cleans = steps.clone();
            context.on_shutdown(async move { cleans.note("cleans up") });
            let background = steps.on_drop("background task ends");
            context.spawn(async move {
                let _background = background;
                pending().await
            });
            settle().await;
            panic!("no way to start");
        },
        echo
    );
    let server = TestServer::bind(&Net::memory(), handler);

    let error = ended(server.begin()).await.unwrap_err();

    assert!(matches!(error, ServeError::Start(_)));
    assert_eq!(error.source().unwrap().to_string(), "panicked: no way to start");
    assert_eq!(steps.all(), ["background task ends", "cleans up"]);
    assert_eq!(log.messages(Level::INFO), [""; 0], "it never served");
}

// L-5
#[tokio::test(start_paused = true)]
async fn a_shutdown_while_the_handler_starts_drops_the_start_and_cleans_up() {
    let log = Log::capture();
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let cleans = steps.clone();
            context.on_shutdown(async move { cleans.note("cleans up") });
            let _start = steps.on_drop("start is dropped");
            sleep(Duration::from_secs(3600)).await;
            steps.note("has started");
            Ok(())
        },
        echo
    );
    let server = TestServer::bind(&Net::memory(), handler);
    let serving = server.begin();
    settle().await;
    let asked = Instant::now();

    within_deadline(server.handle.shutdown()).await;

    assert!(asked.elapsed() < Duration::from_secs(1));
    ended(serving).await.unwrap();
    assert_eq!(steps.all(), ["start is dropped", "cleans up"]);
    assert_eq!(log.messages(Level::INFO), [""; 0], "it never served");
}

// L-5
#[tokio::test(start_paused = true)]
async fn a_server_that_is_shut_down_while_it_starts_is_never_ready() {
    let handler = starting!(|_service| { pending().await }, echo);
    let server = TestServer::bind(&Net::memory(), handler);
    let serving = server.begin();
    let ready = tokio::spawn({
        let handle = server.handle.clone();
        async move { handle.ready().await }
    });
    settle().await;

    within_deadline(server.handle.shutdown()).await;
    ended(serving).await.unwrap();
    settle().await;

    assert!(!ready.is_finished(), "`ready` waits for the next serving");
    drop(server);
    assert!(!ready.await.unwrap());
}

// L-6
#[tokio::test(start_paused = true)]
async fn serving_again_is_refused_until_the_last_clean_up_is_over() {
    let cleans = starting!(
        |context| {
            context.on_shutdown(async { sleep(Duration::from_secs(5)).await });
            Ok(())
        },
        Sleeps
    );
    let (server, serving, peer) = in_memory(cleans).await;
    peer.ask("hello").await;
    let asked = Instant::now();
    let stopping = tokio::spawn({
        let handle = server.handle.clone();
        async move { handle.shutdown().await }
    });

    for _in_the_grace_and_in_the_clean_up in 0..2 {
        sleep(Duration::from_millis(700)).await;
        assert!(matches!(ended(server.begin()).await, Err(ServeError::AlreadyServing)));
    }

    stopping.await.unwrap();
    assert_eq!(asked.elapsed().as_millis(), 5_750);
    ended(serving).await.unwrap();
    let serving = server.serve().await;
    assert_eq!(peer.ask("again").await, "again");
    server.stop(serving).await;
}

// L-3
#[tokio::test(start_paused = true)]
async fn a_server_that_is_stopping_is_not_ready() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;
    let stopping = tokio::spawn({
        let handle = server.handle.clone();
        async move { handle.shutdown().await }
    });
    settle().await;

    let ready = timeout(Duration::from_secs(5), server.handle.ready()).await;

    assert!(ready.is_err(), "`ready` waits until the server serves again");
    stopping.await.unwrap();
    ended(serving).await.unwrap();
}

// L-4
#[tokio::test(start_paused = true)]
async fn a_panic_before_the_start_is_awaited_is_an_error_of_serving_too() {
    struct Panics(bool);

    impl Handler<String, String> for Panics {
        fn start(
            &self,
            _: &mut ServerContext,
        ) -> impl Future<Output = Result<(), BoxError>> + Send {
            assert!(!self.0, "no way to start");
            async { Ok(()) }
        }

        async fn handle(&self, _: &mut Peer<String, String>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    let server = TestServer::bind(&Net::memory(), Panics(true));

    let error = ended(server.begin()).await.unwrap_err();

    assert_eq!(error.source().unwrap().to_string(), "panicked: no way to start");
}
