//! blocking clients whose datagrams are in the envelope of address tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use datagrammar::{
    AddressTokens, ClientExchangeError, ClientRecvError, ClientSendError, Repeat, Server,
    TokenSecret, blocking,
};

use super::*;
use crate::blocking::until;

const NONE: [u8; 16] = [0; 16];

fn enveloped(addr: impl datagrammar::Connect) -> Client<Text> {
    Client::builder(Text).address_token_envelope(true).connect_blocking(addr).unwrap()
}

/// A client of text in envelopes, and its peer.
fn client() -> (Client<Text>, Peer) {
    client_by("127.0.0.1", enveloped)
}

/// A server that always asks for tokens, and counts what its handler receives.
fn asking() -> (blocking::ServerThread, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let shout = move |text: String| {
        counted.fetch_add(1, Relaxed);
        async move { text.to_uppercase() }
    };
    let tokens = AddressTokens::new(TokenSecret::from([7; 16])).required(true);
    let server = Server::builder(Text, shout).address_token_envelope(tokens);
    (server.bind_blocking("127.0.0.1:0").unwrap().spawn().unwrap(), calls)
}

fn stamped(token: [u8; 16], text: &str) -> Vec<u8> {
    [&[0x10][..], &token, text.as_bytes()].concat()
}

fn challenge(token: [u8; 16]) -> Vec<u8> {
    [&[0x12][..], &token].concat()
}

//
#[test]
fn a_challenge_is_answered_and_never_returned() {
    let (server, _) = asking();
    let client = enveloped(&server.handle().local_addrs()[0]);

    for n in 1..=3 {
        assert_eq!(ask(&client, "hello"), "HELLO");
        let stats = client.stats();
        assert_eq!((stats.challenges, stats.sent, stats.received), (1, n + 1, n));
    }
    client.send_all((0..5).map(|n| format!("packet {n}"))).unwrap();
    let mut answers: Vec<_> = (0..5).map(|_| hear(&client)).collect();
    answers.sort_unstable();
    assert_eq!(answers, (0..5).map(|n| format!("PACKET {n}")).collect::<Vec<_>>());
    assert_eq!(client.exchange("hello".to_owned()).unwrap(), "HELLO");
    assert_eq!((client.stats().challenges, client.stats().sent), (1, 10));
}

//
#[test]
fn an_exchange_with_a_server_that_asks_takes_one_attempt() {
    let (server, _) = asking();
    let client = enveloped(&server.handle().local_addrs()[0]);

    let once = Repeat::default().initial_timeout(DEADLINE).max_attempts(1);
    assert_eq!(client.exchange_with("hello".to_owned(), &once).unwrap(), "HELLO");
    assert_eq!((client.stats().challenges, client.stats().sent), (1, 2));
}

//
#[test]
fn a_client_that_only_sends_learns_its_token() {
    let (server, calls) = asking();
    let client = enveloped(&server.handle().local_addrs()[0]);

    until(|| {
        client.send("measurement".to_owned()).unwrap();
        calls.load(Relaxed) > 0
    });
    assert!(client.stats().challenges > 0);
    assert_eq!(client.stats().received, 0);
    // The answers are still there.
    assert_eq!(hear(&client), "MEASUREMENT");
}

//
#[test]
fn a_flood_of_forged_challenges_sends_a_datagram_again_twice() {
    let (client, peer) = client();
    client.send("hello".to_owned()).unwrap();
    assert_eq!(peer.recv(), stamped(NONE, "hello"));

    for n in 1..=100_u128 {
        peer.send(challenge(n.to_be_bytes()));
    }
    assert!(client.try_recv().is_none());
    assert_eq!(peer.recv(), stamped(1_u128.to_be_bytes(), "hello"));
    assert_eq!(peer.recv(), stamped(2_u128.to_be_bytes(), "hello"));
    assert!(peer.hears_nothing());
    peer.send(b"\x11there");

    assert_eq!(hear(&client), "there");
    let stats = client.stats();
    assert_eq!((stats.challenges, stats.sent, stats.received), (100, 3, 1));
    client.send("again".to_owned()).unwrap();
    assert_eq!(peer.recv(), stamped(100_u128.to_be_bytes(), "again"));
}

//
#[test]
fn a_timeout_ends_while_challenges_arrive_without_end() {
    let (client, peer) = client();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Relaxed) {
                peer.send(challenge([1; 16]));
            }
        });
        let nothing = client.recv_timeout(Duration::from_millis(20));
        ends.store(true, Relaxed);
        assert!(matches!(nothing, Err(ClientRecvError::TimedOut)), "{nothing:?}");
    });
}

// the packets behind a challenge stay where they are, whoever looks for challenges
#[test]
fn threads_that_send_and_receive_lose_no_packet() {
    const PACKETS: usize = 500;

    let (client, peer) = client();
    thread::scope(|scope| {
        let receiving: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let packets = client
                        .packets()
                        .take_while(|packet| packet.as_ref().is_ok_and(|packet| packet != "end"));
                    packets.count()
                })
            })
            .collect();
        let sending = scope.spawn(|| {
            for _ in 0..PACKETS {
                client.send("look".to_owned()).unwrap();
            }
        });
        for n in 0..PACKETS {
            peer.send(challenge((n as u128 + 1).to_be_bytes()));
            peer.send(b"\x11packet");
            // Not more than fit into the buffer of the client.
            if n % 50 == 49 {
                let received = || client.stats().received as usize;
                until(|| received() == n + 1);
            }
        }
        sending.join().unwrap();
        peer.send(b"\x11end");
        peer.send(b"\x11end");
        let received: usize = receiving.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(received, PACKETS);
    });
    assert_eq!(client.stats().challenges, PACKETS as u64);
}

//
#[test]
fn what_is_in_no_envelope_is_a_decode_error() {
    let (client, peer) = client();
    for datagram in [&b"hi"[..], &[0x10; 40], &[0x12; 16], &[0x12; 18], &[0x13; 17], b""] {
        peer.send(datagram);
        let error = client.recv_timeout(DEADLINE).unwrap_err();
        assert!(matches!(error, ClientRecvError::Decode(_)), "{error:?}");
    }
    peer.send(b"\x11there");

    assert_eq!(hear(&client), "there");
    let stats = client.stats();
    assert_eq!((stats.received, stats.decode_errors, stats.challenges), (7, 6, 0));
}

//
#[test]
fn the_envelope_takes_17_bytes() {
    let (client, peer) = client();
    // A datagram over IPv4 has up to 65,507 bytes.
    let longest = 65_507 - 17;

    client.send("x".repeat(longest)).unwrap();
    assert_eq!(peer.recv().len(), 65_507);
    let too_long = "x".repeat(longest + 1);
    for error in [client.send(&too_long), client.send_all([&too_long])] {
        assert!(
            matches!(error, Err(ClientSendError::TooLarge { len: 65_491, max: 65_490, .. })),
            "{error:?}"
        );
    }
    let error = client.exchange(too_long);
    assert!(
        matches!(error, Err(ClientExchangeError::TooLarge { len: 65_491, max: 65_490, .. })),
        "{error:?}"
    );
    assert!(peer.hears_nothing());
}
