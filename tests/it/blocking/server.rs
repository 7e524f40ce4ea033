//! A server on the thread of its caller, and its handle.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use datagrammar::{
    BoxError, DropReason, Handler, Limits, Peer, ServeError, Server, ServerContext, Text, Udp,
    blocking, testing::Network,
};

use super::{DEADLINE, ask, bind, bind_within, client_of, echo, hear, until, within_deadline};
use crate::support::conversing;

/// Serves on another thread.
fn serve(server: &Arc<blocking::Server>) -> thread::JoinHandle<Result<(), ServeError>> {
    let (server, handle) = (Arc::clone(server), server.handle());
    let serving = thread::spawn(move || server.serve());
    assert!(within_deadline(move || handle.ready()));
    serving
}

fn ended(serving: thread::JoinHandle<Result<(), ServeError>>) -> Result<(), ServeError> {
    within_deadline(|| serving.join().unwrap())
}

// T-1
#[test]
fn a_server_that_does_not_run_is_not_serving_and_shutdown_returns_at_once() {
    let server = bind(echo);
    let handle = server.handle();

    assert!(!handle.is_serving());
    within_deadline({
        let handle = handle.clone();
        move || {
            handle.shutdown();
            handle.stopped();
            handle.stopping();
            assert!(handle.shutdown_timeout(Duration::ZERO));
            assert_eq!(handle.drain(DEADLINE), 0);
        }
    });
    assert_eq!(handle.local_addrs(), [server.local_addr()]);
    drop(server);

    within_deadline(move || {
        assert!(!handle.ready());
        handle.shutdown();
        assert!(handle.local_addrs().is_empty());
    });
}

// T-1
#[test]
fn the_handle_of_a_server_that_runs_works_from_another_thread() {
    let server = Arc::new(bind(echo));
    let serving = serve(&server);
    let handle = server.handle();

    assert!(handle.is_serving());
    assert_eq!(handle.local_addrs(), [server.local_addr()]);
    assert_eq!(ask(&client_of(&handle), "hello"), "hello");
    assert_eq!(handle.stats().received, 1);
    assert_eq!(handle.diagnostics().sockets().len(), 1);
    assert!(handle.as_async().sender::<String>(server.local_addr()).is_ok());
    handle.shutdown();

    assert!(!handle.is_serving());
    ended(serving).unwrap();
}

// T-1, L-17, L-18
#[test]
fn a_drain_from_another_thread_waits_for_the_conversations() {
    let server = Arc::new(bind(conversing!(|peer| {
        loop {
            let text = peer.recv().await?;
            peer.send(&text).await?;
            if text == "bye" {
                return Ok(());
            }
        }
    })));
    let serving = serve(&server);
    let handle = server.handle();
    let client = client_of(&handle);
    assert_eq!(ask(&client, "hello"), "hello");
    let draining = thread::spawn({
        let handle = handle.clone();
        move || handle.drain(Duration::from_secs(3_600))
    });
    within_deadline({
        let handle = handle.clone();
        move || handle.stopping()
    });

    let stranger = client_of(&handle);
    stranger.send("hello".to_owned()).unwrap();
    until(|| handle.stats().dropped(DropReason::ShuttingDown) == 1);
    assert_eq!(ask(&client, "bye"), "bye");

    assert_eq!(within_deadline(|| draining.join().unwrap()), 0);
    ended(serving).unwrap();
}

// T-2
#[test]
fn a_shutdown_from_another_thread_ends_the_run_without_the_grace_if_no_conversation_needs_it() {
    // With the grace, the test would exceed its deadline.
    let limits = Limits::default().shutdown_grace(Duration::from_secs(3_600));
    let server = Arc::new(bind_within(limits, echo));
    for timeout in [None, Some(DEADLINE), Some(Duration::MAX)] {
        let serving = serve(&server);
        let handle = server.handle();
        assert_eq!(ask(&client_of(&handle), "hello"), "hello");

        let complete = within_deadline(move || match timeout {
            None => {
                handle.shutdown();
                true
            }
            Some(timeout) => handle.shutdown_timeout(timeout),
        });

        assert!(complete);
        assert!(!server.handle().is_serving());
        ended(serving).unwrap();
    }
}

// T-2
#[test]
fn a_shutdown_with_a_timeout_returns_then_and_says_that_it_is_not_complete() {
    let limits = Limits::default().shutdown_grace(Duration::from_secs(3_600));
    let (release, released) = tokio::sync::watch::channel(false);
    let server = Arc::new(bind_within(
        limits,
        conversing!(
            [released] | peer | {
                let text = peer.recv().await?;
                peer.send(&text).await?;
                let mut released = released;
                released.wait_for(|released| *released).await?;
                Ok(peer.send(&"goodbye".to_owned()).await?)
            }
        ),
    ));
    let serving = serve(&server);
    let handle = server.handle();
    let client = client_of(&handle);
    assert_eq!(ask(&client, "hello"), "hello");
    let timeout = Duration::from_millis(20);

    let begun = Instant::now();
    assert!(!handle.shutdown_timeout(timeout));
    assert!(begun.elapsed() >= timeout);
    assert!(!handle.shutdown_timeout(Duration::ZERO));
    assert!(!handle.is_serving());
    assert!(!serving.is_finished());

    release.send(true).unwrap();
    assert_eq!(hear(&client), "goodbye");
    ended(serving).unwrap();
    assert!(handle.shutdown_timeout(Duration::ZERO));
}

// T-2, L-14
#[test]
fn a_shutdown_inside_a_handler_does_not_wait_for_itself() {
    struct Quits(std::sync::OnceLock<datagrammar::ServerHandle>);

    impl Handler<String, String> for Quits {
        async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
            self.0.get_or_init(|| context.handle().clone());
            Ok(())
        }

        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            let text = peer.recv().await?;
            self.0.get().unwrap().shutdown().await;
            Ok(peer.send(&text).await?)
        }
    }

    let limits = Limits::default().shutdown_grace(Duration::from_secs(3_600));
    let server = Arc::new(bind_within(limits, Quits(Default::default())));
    let serving = serve(&server);

    assert_eq!(ask(&client_of(&server.handle()), "quit"), "quit");

    ended(serving).unwrap();
}

// T-3
#[test]
fn a_second_run_while_one_runs_is_refused_and_the_first_goes_on() {
    let server = Arc::new(bind(echo));
    let serving = serve(&server);
    let handle = server.handle();

    let second = within_deadline({
        let server = Arc::clone(&server);
        move || server.serve()
    });

    assert!(matches!(second, Err(ServeError::AlreadyServing)), "{second:?}");
    assert_eq!(ask(&client_of(&handle), "hello"), "hello");
    handle.shutdown();
    ended(serving).unwrap();
}

// T-3, L-15
#[test]
fn one_server_runs_three_times_on_one_port() {
    let server = Arc::new(bind(echo));
    let addr = server.local_addr();

    for round in ["one", "two", "three"] {
        let serving = serve(&server);
        assert_eq!(server.local_addr(), addr);
        assert_eq!(ask(&client_of(&server.handle()), round), round);
        server.handle().shutdown();
        ended(serving).unwrap();
    }

    drop(server);
    UdpSocket::bind(addr).unwrap();
}

// T-3, L-4
#[test]
fn after_a_start_that_failed_the_server_can_run() {
    struct FailsOnce(AtomicUsize);

    impl Handler<String, String> for FailsOnce {
        async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
            if self.0.fetch_add(1, Relaxed) == 0 { Err("not yet".into()) } else { Ok(()) }
        }

        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        }
    }

    let server = Arc::new(bind(FailsOnce(AtomicUsize::new(0))));

    let failed = server.serve();

    let Err(ServeError::Start(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.to_string(), "not yet");
    let serving = serve(&server);
    assert_eq!(ask(&client_of(&server.handle()), "hello"), "hello");
    server.handle().shutdown();
    ended(serving).unwrap();
}

// T-1, L-7
#[test]
fn a_future_ends_serving() {
    let server = bind(echo);
    let handle = server.handle();
    let client = client_of(&handle);
    client.send("early".to_owned()).unwrap();

    // The future need not be `Send`.
    let asked = std::rc::Rc::new(());
    server
        .serve_until(async {
            let _asked = asked;
            while handle.stats().sent == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .unwrap();

    assert_eq!(hear(&client), "early");
    server.serve_until(std::future::ready(())).unwrap();
    assert!(!handle.is_serving());
}

// T-1, B-15
#[test]
fn a_blocking_server_is_bound_to_every_transport() {
    let network = Network::new(1, Default::default());
    let memory = network.bind("10.0.0.1:9000").unwrap();
    let transports = ("localhost:0", Udp::new("127.0.0.1:0").ttl(3), memory);
    let server = blocking::Server::bind(transports, Text, echo).unwrap();
    let handle = server.handle();

    assert!(handle.local_addrs().len() >= 3);
    assert_eq!(server.sockets().count(), handle.local_addrs().len() - 1);
    let thread = server.spawn().unwrap();
    for addr in &handle.local_addrs()[..2] {
        let client = blocking::Client::connect(addr, Text).unwrap();
        assert_eq!(ask(&client, "hello"), "hello");
    }
    drop(thread);
}

// T-1, B-4
#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let first = bind(echo);

    let error = blocking::Server::bind(first.local_addr(), Text, echo).unwrap_err();

    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&first.local_addr().to_string()), "{error}");
}

// T-1, L-2
#[test]
fn workers_on_their_own_threads_serve_too() {
    let builder = Server::builder(Text, echo).dedicated_threads(true);
    let server = builder.bind_blocking("127.0.0.1:0").unwrap();
    let handle = server.handle();
    let mut thread = server.spawn().unwrap();

    assert_eq!(ask(&client_of(&handle), "hello"), "hello");

    thread.join().unwrap();
}

// T-1
#[test]
fn a_blocking_server_joins_and_leaves_multicast_groups() {
    let server = blocking::Server::bind("0.0.0.0:0", Text, echo).unwrap();
    let group = std::net::Ipv4Addr::new(239, 255, 77, 61);
    let loopback = datagrammar::Interface::Addr(std::net::Ipv4Addr::LOCALHOST);

    server.join_multicast(group, loopback).unwrap();
    assert!(server.join_multicast(group, loopback).is_err());
    server.leave_multicast(group, loopback).unwrap();
}
