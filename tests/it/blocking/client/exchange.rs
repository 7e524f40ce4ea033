//! Packets that are repeated until the next packet arrives.

use std::{
    thread,
    time::{Duration, Instant},
};

use datagrammar::{ClientExchangeError, Duplicates, Repeat};

use super::*;

/// Short timers.
fn soon() -> Repeat {
    Repeat::default().fixed_timeout(Duration::from_millis(20))
}

//
#[test]
fn a_packet_is_repeated_until_the_next_packet_arrives() {
    for ip in IPS {
        let (client, peer) = client(ip);

        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert_eq!(peer.recv_text(), "one");
                }
                peer.send("got one");
                let mut datagram = peer.recv_text();
                while datagram == "one" {
                    datagram = peer.recv_text();
                }
                assert_eq!(datagram, "two");
                // A duplicate of the packet before is no answer.
                peer.send("got one");
                peer.send("got two");
            });
            assert_eq!(client.exchange_with("one".to_owned(), &soon()).unwrap(), "got one");
            assert_eq!(client.exchange_with("two".to_owned(), &soon()).unwrap(), "got two");
        });

        assert!(client.stats().sent >= 4);
    }
}

//
#[test]
fn an_exchange_waits_on_and_ends_after_its_time() {
    let (client, peer) = client("127.0.0.1");
    let repeat = soon().max_attempts(3);
    let mut exchange = client.begin_exchange("well?".to_owned(), &repeat).unwrap();
    peer.send("no answer");
    peer.send(b"\xff");

    assert_eq!(exchange.next().unwrap(), "no answer");
    let error = exchange.next().unwrap_err();
    assert!(matches!(error, ClientExchangeError::Decode(_)), "{error:?}");
    let error = exchange.next().unwrap_err();

    assert!(matches!(error, ClientExchangeError::TimedOut { attempts: 3, .. }), "{error:?}");
    for _ in 0..3 {
        assert_eq!(peer.recv_text(), "well?");
    }
    assert!(peer.hears_nothing());
}

//
#[test]
fn the_packet_before_is_known_after_detect_duplicates_and_can_be_answered() {
    let (client, peer) = client("127.0.0.1");
    client.detect_duplicates();
    for packet in ["hello", "hello", "hello", "yes"] {
        peer.send(packet);
    }

    assert_eq!(hear(&client), "hello");
    let repeat = Repeat::default().duplicates(Duplicates::Answer);
    assert_eq!(client.exchange_with("well?".to_owned(), &repeat).unwrap(), "yes");

    for _ in 0..3 {
        assert_eq!(peer.recv_text(), "well?");
    }
    assert!(peer.hears_nothing());
}

//
#[test]
fn exchanges_of_several_threads_get_their_own_answers() {
    let (client, peer) = client("127.0.0.1");

    thread::scope(|scope| {
        for n in 0..8 {
            let client = client.clone();
            scope.spawn(move || {
                let answer = client.exchange(n.to_string()).unwrap();
                assert_eq!(answer, format!("got {n}"));
            });
        }
        for _ in 0..8 {
            let packet = peer.recv_text();
            // No other exchange has sent anything meanwhile.
            assert!(peer.hears_nothing());
            peer.send(format!("got {packet}"));
        }
    });
}

//
#[test]
fn an_exchange_waits_for_the_end_of_another_one_within_its_own_time() {
    let (client, peer) = client("127.0.0.1");
    let mut first = client.begin_exchange("first".to_owned(), &Repeat::default()).unwrap();
    peer.send("no answer");
    first.next().unwrap();

    let began = Instant::now();
    let soon = Repeat::default().total_timeout(Duration::from_millis(20));
    let error = client.exchange_with("second".to_owned(), &soon).unwrap_err();
    assert!(matches!(error, ClientExchangeError::TimedOut { attempts: 0, .. }), "{error:?}");
    assert!(began.elapsed() >= Duration::from_millis(20));

    drop(first);
    peer.send("yes");
    assert_eq!(client.exchange("third".to_owned()).unwrap(), "yes");
    assert_eq!((peer.recv_text(), peer.recv_text()), ("first".to_owned(), "third".to_owned()));
}

// Q-15, C-9
#[test]
fn closing_the_client_ends_exchanges_at_once() {
    let (client, peer) = client("127.0.0.1");

    let began = Instant::now();

    thread::scope(|scope| {
        let running = scope.spawn(|| client.exchange("running".to_owned()));
        assert_eq!(peer.recv_text(), "running");
        let waiting = scope.spawn(|| client.exchange("waiting".to_owned()));
        client.close();

        for exchange in [running, waiting] {
            let exchange = exchange.join().unwrap();
            assert!(matches!(exchange, Err(ClientExchangeError::Closed)), "{exchange:?}");
        }
    });
    // Without a wake-up they would end after 30 s.
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(peer.hears_nothing());
}

// Q-15, C-7
#[cfg(target_os = "linux")]
#[test]
fn refused_datagrams_count_as_lost() {
    for ip in IPS {
        let (client, peer) = client(ip);
        let at = peer.socket.local_addr().unwrap();
        // The socket is connected to itself, so the kernel refuses datagrams of others.
        peer.socket.connect(at).unwrap();

        let error = client.exchange_with("well?".to_owned(), &soon().max_attempts(3)).unwrap_err();

        let ClientExchangeError::Unreachable(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(client.stats().send_errors, 3);
    }
}

// Q-15, T-7
#[test]
fn inside_a_runtime_an_exchange_is_refused() {
    let (client, peer) = client("127.0.0.1");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let error = runtime.block_on(async { client.exchange("well?".to_owned()) }).unwrap_err();

    assert!(matches!(error, ClientExchangeError::InsideRuntime), "{error:?}");
    assert!(peer.hears_nothing());
}
