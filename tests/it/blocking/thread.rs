//! A server on a thread of its own.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{
    BoxError, Handler, Limits, Peer, ServeError, Server, ServerContext, Text, blocking,
};

use super::{ask, bind, bind_within, client_of, echo, hear, within_deadline};
use crate::support::conversing;

/// Fails to start, or panics.
struct Fails(bool);

impl Handler<String, String> for Fails {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        assert!(!self.0, "on purpose");
        Err("the database is not there".into())
    }

    async fn handle(&self, _: &mut Peer<String, String>) -> Result<(), BoxError> {
        Ok(())
    }
}

// T-4
#[test]
fn when_a_server_thread_was_started_the_server_serves() {
    /// Starting takes its time.
    struct Slow(AtomicBool);

    impl Handler<String, String> for Slow {
        async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.0.store(true, Relaxed);
            Ok(())
        }

        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        }
    }

    let handler = Arc::new(Slow(AtomicBool::new(false)));
    let thread = bind(Arc::clone(&handler)).spawn().unwrap();

    assert!(handler.0.load(Relaxed));
    assert!(thread.handle().is_serving());
    assert!(!thread.is_finished());
    assert_eq!(ask(&client_of(thread.handle()), "hello"), "hello");
}

// T-4, L-14
#[test]
fn a_shutdown_right_after_the_start_ends_the_server() {
    let mut thread = bind(echo).spawn().unwrap();
    let handle = thread.handle().clone();

    within_deadline(move || handle.shutdown());

    assert!(!thread.handle().is_serving());
    within_deadline(move || thread.join()).unwrap();
}

// T-5: tests in a process of their own count the threads.
#[test]
fn when_start_fails_starting_the_thread_returns_the_error_and_the_port_is_free() {
    for panics in [false, true] {
        let server = bind(Fails(panics));
        let (addr, handle) = (server.local_addr(), server.handle());

        let failed = within_deadline(move || server.spawn());

        let Err(ServeError::Start(error)) = failed else { panic!("{failed:?}") };
        let expected = if panics { "panicked: on purpose" } else { "the database is not there" };
        assert_eq!(error.to_string(), expected);
        assert!(!handle.is_serving());
        UdpSocket::bind(addr).unwrap();
    }
}

// T-6
#[test]
fn joining_shuts_the_server_down_and_waits_and_a_second_join_returns_at_once() {
    let limits = Limits::default().shutdown_grace(Duration::from_secs(3_600));
    let mut thread = bind_within(
        limits,
        conversing!(|peer| {
            peer.recv().await?;
            peer.send(&"hello".to_owned()).await?;
            let _ = peer.recv().await;
            Ok(peer.send(&"goodbye".to_owned()).await?)
        }),
    )
    .spawn()
    .unwrap();
    let handle = thread.handle().clone();
    let (addr, client) = (handle.local_addrs().remove(0), client_of(&handle));
    assert_eq!(ask(&client, "hello"), "hello");

    let mut thread = within_deadline(move || {
        thread.join().unwrap();
        thread
    });

    assert_eq!(hear(&client), "goodbye");
    assert!(!handle.is_serving());
    assert!(thread.is_finished());
    UdpSocket::bind(addr).unwrap();
    thread.join().unwrap();
}

// T-6
#[test]
fn dropping_a_server_thread_shuts_the_server_down_and_waits() {
    let thread = bind(echo).spawn().unwrap();
    let handle = thread.handle().clone();
    let addr = handle.local_addrs().remove(0);
    assert_eq!(ask(&client_of(&handle), "hello"), "hello");

    within_deadline(move || drop(thread));

    assert!(!handle.is_serving());
    assert!(handle.local_addrs().is_empty());
    UdpSocket::bind(addr).unwrap();
}

// T-6, L-24
#[cfg(target_os = "linux")]
#[test]
fn join_returns_the_error_that_has_ended_the_server() {
    use std::{net::Shutdown, os::fd::AsFd};

    let server = bind(echo);
    let socket = server.sockets().next().unwrap().as_fd().try_clone_to_owned().unwrap();
    let mut thread = server.spawn().unwrap();
    let handle = thread.handle().clone();

    // The socket is not connected; it is shut down all the same.
    let _ = socket2::Socket::from(socket).shutdown(Shutdown::Read);

    within_deadline(move || handle.stopped());
    let (ended, again) = within_deadline(move || (thread.join(), thread.join()));
    let Err(ServeError::Io(error)) = ended else { panic!("{ended:?}") };
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    again.unwrap();
}

// T-6
#[test]
fn join_returns_the_panic_of_a_destructor_and_the_port_is_free() {
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    impl Handler<String, String> for Panics {
        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        }
    }

    let mut thread = bind(Panics).spawn().unwrap();
    let addr = thread.handle().local_addrs().remove(0);
    assert_eq!(ask(&client_of(thread.handle()), "hello"), "hello");

    let ended = within_deadline(move || thread.join());

    let Err(ServeError::Panicked(error)) = ended else { panic!("{ended:?}") };
    assert_eq!(error.to_string(), "panicked: on purpose");
    UdpSocket::bind(addr).unwrap();
}

// T-6
#[test]
fn a_server_thread_that_is_owned_by_its_own_handler_ends() {
    struct Owns(Arc<std::sync::Mutex<Option<blocking::ServerThread>>>);

    impl Handler<String, String> for Owns {
        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            let text = peer.recv().await?;
            let joined = self.0.lock().unwrap().as_mut().unwrap().join();
            assert!(matches!(joined, Err(ServeError::InsideRuntime)), "{joined:?}");
            Ok(peer.send(&text).await?)
        }
    }

    let owned = Arc::default();
    let server = Server::builder(Text, Owns(Arc::clone(&owned)));
    let thread = server.bind_blocking("127.0.0.1:0").unwrap().spawn().unwrap();
    let handle = thread.handle().clone();
    let addr = handle.local_addrs().remove(0);
    *owned.lock().unwrap() = Some(thread);
    drop(owned);

    assert_eq!(ask(&client_of(&handle), "hello"), "hello");

    // The thread of the server drops the handler, and with it the owner of the thread.
    super::until(|| UdpSocket::bind(&addr).is_ok());
}
