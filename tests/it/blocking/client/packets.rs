//! The packets of a blocking client as an iterator.

use std::{
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use datagrammar::ClientRecvError;
use socket2::SockRef;

use super::{client, hear};
use crate::blocking::until;

// C-11
#[test]
fn all_packets_come_until_the_client_is_closed() {
    let (client, peer) = client("127.0.0.1");
    let same = client.clone();
    let collecting = thread::spawn(move || {
        let mut packets = same.packets();
        let all: Vec<_> = packets.by_ref().map(Result::unwrap).collect();
        assert!(packets.next().is_none());
        all
    });
    for n in 0..10 {
        peer.send(n.to_string());
    }
    until(|| client.stats().received == 10);

    client.close();

    until(|| collecting.is_finished());
    let expected: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(collecting.join().unwrap(), expected);
    assert_eq!(client.packets().count(), 0);
}

// C-11
#[test]
fn with_a_time_limit_the_packets_before_it_come_and_then_the_end() {
    let (client, peer) = client("127.0.0.1");
    peer.send("early");
    let (begun, limit) = (Instant::now(), Duration::from_millis(20));

    let mut packets = client.packets().within(limit);

    assert_eq!(packets.next().unwrap().unwrap(), "early");
    peer.send("in time");
    assert_eq!(packets.next().unwrap().unwrap(), "in time");
    assert!(packets.next().is_none());
    assert!(begun.elapsed() >= limit);
    peer.send("late");
    assert!(packets.next().is_none());
    assert_eq!(client.try_recv().unwrap().unwrap(), "late");
}

// C-11
#[test]
fn with_a_limit_of_zero_only_packets_that_are_there_come() {
    let (client, peer) = client("127.0.0.1");
    for n in 0..10 {
        peer.send(n.to_string());
    }

    assert_eq!(client.packets().within(Duration::ZERO).count(), 10);
    assert_eq!(client.packets().within(Duration::ZERO).count(), 0);
}

// C-11, G-11
#[test]
fn a_limit_ends_the_packets_of_a_peer_that_never_stops() {
    let (client, peer) = client("127.0.0.1");
    let sending = client.clone();
    let flood = thread::spawn(move || {
        while !sending.is_closed() {
            // Once the client is closed, the kernel may refuse it.
            let _ = peer.socket.send_to(b"flood", peer.to);
        }
    });

    assert_eq!(hear(&client), "flood");

    let packets = client.packets().within(Duration::ZERO);

    // How many there are depends on the machine.
    assert!(packets.map(Result::unwrap).count() <= 16_384);
    client.close();
    flood.join().unwrap();
}

// C-12
#[test]
fn errors_are_items_and_the_packets_go_on() {
    let (client, peer) = client("127.0.0.1");
    for datagram in [&b"one"[..], b"\xe9", b"two"] {
        peer.send(datagram);
    }
    let mut packets = client.packets();

    assert_eq!(packets.next().unwrap().unwrap(), "one");
    assert!(matches!(packets.next(), Some(Err(ClientRecvError::Decode(_)))));
    assert_eq!(packets.next().unwrap().unwrap(), "two");
    SockRef::from(&client.socket_ref().unwrap()).shutdown(Shutdown::Read).unwrap();
    for _ in 0..2 {
        assert!(matches!(packets.next(), Some(Err(ClientRecvError::Io(_)))));
    }
}
