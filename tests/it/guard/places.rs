//! which conversation gives way when all places are taken.

use std::time::Duration;

use datagrammar::{DropReason, Guard, Limits, RecvError, Server, ServerBuilder, Text};

use super::peer_at;
use crate::support::{Net, conversing, everywhere, until, within_deadline};

const SECOND: Duration = Duration::from_secs(1);

/// A conversation that counts, goes on after junk, and validates who says the word.
fn counting() -> ServerBuilder<Text> {
    let handler = conversing!(|peer| {
        let mut count = 0;
        loop {
            match peer.recv().await {
                Ok(text) => {
                    count += 1;
                    if text == "secret" {
                        peer.validate();
                    }
                    peer.send(count.to_string()).await?;
                }
                Err(RecvError::Decode(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    });
    Server::builder(Text, handler).limits(Limits::default().max_conversations(10))
}

const JUNK: [u8; 1] = [0xff];

// without a guard
#[tokio::test(start_paused = true)]
async fn a_conversation_that_has_received_only_junk_gives_way_to_every_other() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve(counting()).await;
    let peer = |n: usize| peer_at(network, &format!("10.0.0.{n}:5000"), &server.handle);
    let honest: Vec<_> = (1..=5).map(peer).collect();
    for peer in &honest {
        assert_eq!(peer.ask("hello").await, "1");
    }

    for n in 0..1_000 {
        let forged =
            peer_at(network, &format!("10.1.{}.{}:5000", n / 200, n % 200 + 1), &server.handle);
        forged.send(JUNK).await;
        if n % 100 == 0 {
            // A new peer gets a place too.
            let late = peer_at(network, &format!("10.2.0.{}:5000", n / 100 + 1), &server.handle);
            if n / 100 < 5 {
                assert_eq!(within_deadline(late.ask("hello")).await, "1");
            }
        }
    }
    until(|| server.handle.stats().received == 1_010).await;

    for peer in &honest {
        assert_eq!(peer.ask("hello").await, "2");
    }
    let stats = server.handle.stats();
    assert_eq!(stats.active_conversations, 10);
    assert!(stats.evicted > 0 && stats.aborted == 0, "{stats}");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn without_a_guard_a_conversation_that_has_received_a_packet_keeps_its_place() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve(counting()).await;
    let peer = |n: usize| peer_at(network, &format!("10.0.0.{n}:5000"), &server.handle);
    let first: Vec<_> = (1..=10).map(peer).collect();
    for peer in &first {
        // Junk before the first packet and after it changes nothing.
        peer.send(JUNK).await;
        assert_eq!(peer.ask("hello").await, "1");
        peer.send(JUNK).await;
    }

    peer(11).send("hello").await;
    until(|| server.handle.stats().dropped(DropReason::ConversationLimit) == 1).await;

    for peer in &first {
        assert_eq!(peer.ask("hello").await, "2");
    }
    assert_eq!(server.handle.stats().evicted, 0);
    server.stop().await;
}

// A-6, G-12
#[tokio::test(start_paused = true)]
async fn a_conversation_that_has_received_only_junk_waits_for_five_seconds() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve(counting()).await;
    let (junk, honest) = (
        peer_at(network, "10.0.0.1:5000", &server.handle),
        peer_at(network, "10.0.0.2:5000", &server.handle),
    );
    junk.send(JUNK).await;
    honest.send(JUNK).await;
    assert_eq!(honest.ask("hello").await, "1");

    tokio::time::sleep(Duration::from_millis(4_900)).await;
    assert_eq!(server.handle.stats().active_conversations, 2);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.handle.stats().active_conversations, 1);
    assert_eq!(server.handle.stats().idle_timeouts, 1);
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(honest.ask("hello").await, "2");
    server.stop().await;
}

// with a guard
#[tokio::test(start_paused = true)]
async fn the_idlest_peers_that_are_not_validated_give_way() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve(counting().guard(Guard::internet())).await;
    let peer = |n: usize| peer_at(network, &format!("10.0.0.{n}:5000"), &server.handle);
    let validated: Vec<_> = (1..=3).map(peer).collect();
    for peer in &validated {
        assert_eq!(peer.ask("secret").await, "1");
    }
    let active = peer(4);
    assert_eq!(active.ask("hello").await, "1");

    for n in 0..200 {
        let forged = peer_at(network, &format!("10.1.0.{}:5000", n + 1), &server.handle);
        assert_eq!(forged.ask("hello").await, "1");
        // It speaks more often than six others come.
        if n % 3 == 0 {
            assert_eq!(active.ask("hello").await, (n / 3 + 2).to_string());
        }
    }

    for peer in &validated {
        assert_eq!(peer.ask("hello").await, "2");
    }
    let stats = server.handle.stats();
    assert_eq!((stats.evicted, stats.dropped(DropReason::ConversationLimit)), (194, 0));
    assert_eq!((stats.active_conversations, stats.aborted), (10, 0));
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_handler_that_works_keeps_its_place() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        tokio::time::sleep(SECOND).await;
        Ok(peer.send(&text).await?)
    });
    let limits = Limits::default().max_conversations(10);
    let server = Server::builder(Text, handler).limits(limits).guard(Guard::internet());
    let server = net.serve(server).await;
    let peer = |n: usize| peer_at(network, &format!("10.0.0.{n}:5000"), &server.handle);
    let first: Vec<_> = (1..=10).map(peer).collect();
    for peer in &first {
        peer.send("hello").await;
    }

    for n in 11..=100 {
        peer(n).send("hello").await;
    }
    until(|| server.handle.stats().dropped(DropReason::ConversationLimit) == 90).await;

    for peer in &first {
        assert_eq!(within_deadline(peer.recv_text()).await, "hello");
    }
    assert_eq!(server.handle.stats().evicted, 0);
    server.stop().await;
}

// A-6, D-8: what a peer sends until its conversation has ended does not open another one
#[tokio::test(start_paused = true)]
async fn all_validated_peers_leave_no_room() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve(counting().guard(Guard::internet())).await;
    let peer = |n: usize| peer_at(network, &format!("10.0.0.{n}:5000"), &server.handle);
    let first: Vec<_> = (1..=10).map(peer).collect();
    for peer in &first {
        assert_eq!(peer.ask("secret").await, "1");
    }

    peer(11).send("hello").await;
    until(|| server.handle.stats().dropped(DropReason::ConversationLimit) == 1).await;
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_conversation_of_a_peer_that_is_not_validated_ends_after_ten_minutes() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve(counting().guard(Guard::internet())).await;
    let (validated, other) = (
        peer_at(network, "10.0.0.1:5000", &server.handle),
        peer_at(network, "10.0.0.2:5000", &server.handle),
    );
    assert_eq!(validated.ask("secret").await, "1");
    tokio::time::sleep(Duration::from_millis(500)).await;

    for n in 0..20 {
        assert_eq!(other.ask("hello").await, (n + 1).to_string());
        assert_eq!(validated.ask("hello").await, (n + 2).to_string());
        tokio::time::sleep(Duration::from_millis(29_900)).await;
    }
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(server.handle.stats().evicted, 1);

    assert_eq!(other.ask("hello").await, "1");
    assert_eq!(validated.ask("hello").await, "22");
    let stats = server.handle.stats();
    assert_eq!((stats.evicted, stats.aborted, stats.active_conversations), (1, 0, 2));
    server.stop().await;
}

everywhere! {
    // also where handlers run on other threads than the worker
    async fn junk_gives_way_over_each_transport(net) {
        let server = net.serve(counting()).await;
        let stats = || server.handle.stats();
        let refused = || stats().dropped(DropReason::ConversationLimit);
        let mut peers = Vec::new();
        // A worker looks among its own conversations, so with two workers some datagrams may find no junk.
        for n in 0..20 {
            let junk = net.peer_of(&server.handle).await;
            junk.send(JUNK).await;
            peers.push(junk);
            until(|| stats().decode_errors + refused() == n + 1).await;
        }
        let junk = stats().decode_errors;
        let before = refused();
        for n in 0..20 {
            let peer = net.peer_of(&server.handle).await;
            peer.send("hello").await;
            until(|| stats().sent + refused() - before == n + 1).await;
            peers.push(peer);
        }

        let answered = stats().sent;
        assert!(answered >= 5, "{}", stats());
        // All places are taken, so each other conversation has given its place.
        assert_eq!(stats().evicted, junk + answered - 10, "{}", stats());
        for peer in peers.split_off(20) {
            if !peer.hears_nothing().await {
                assert_eq!(within_deadline(peer.ask("hello")).await, "2");
            }
        }
        server.stop().await;
    }
}
