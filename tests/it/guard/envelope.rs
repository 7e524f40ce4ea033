//! servers whose datagrams are in the envelope of address tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use datagrammar::{
    AddressTokens, DropReason, Guard, ReplyCache, Server, ServerHandle, TaggedServer, Text,
    TokenSecret, tagged, testing::Network,
};

use super::{guarded, lengths, peer_at};
use crate::support::{Bytes, Net, until};

const REQUEST: u8 = 0x10;
const REPLY: u8 = 0x11;
const CHALLENGE: u8 = 0x12;

fn tokens() -> AddressTokens {
    AddressTokens::new(TokenSecret::from([7; 16]))
}

/// A request in its envelope.
fn request(token: [u8; 16], payload: &[u8]) -> Vec<u8> {
    [&[REQUEST][..], &token, payload].concat()
}

/// The token that the server gave this peer so many seconds ago.
fn token(peer: &Bytes, seconds_ago: u64) -> [u8; 16] {
    let then = SystemTime::now() - Duration::from_secs(seconds_ago);
    tokens().for_peer(peer.addr().socket_addr().unwrap(), then).issue(b"")
}

fn memory() -> (Net, Network) {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let network = network.clone();
    (net, network)
}

fn stats(handle: &ServerHandle) -> (u64, u64, u64) {
    let stats = handle.stats();
    (stats.challenges, stats.dropped(DropReason::Unproven), stats.dropped(DropReason::NoEnvelope))
}

// the bytes
#[tokio::test(start_paused = true)]
async fn a_request_without_a_token_is_challenged_and_one_with_it_is_served() {
    let (net, network) = memory();
    let server = Server::builder(Text, async |text: String| text.to_uppercase())
        .address_token_envelope(tokens().required(true));
    let server = net.serve(server).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    peer.send(request([0; 16], b"hi")).await;
    let challenge = peer.recv().await;
    assert_eq!((challenge.len(), challenge[0]), (17, CHALLENGE));
    peer.send(request(challenge[1..].try_into().unwrap(), b"hi")).await;
    assert_eq!(peer.recv().await, b"\x11HI");
    // Each request opens a conversation of its own.
    peer.send(request([9; 16], b"hi")).await;
    assert_eq!(peer.recv().await[0], CHALLENGE);

    assert_eq!(stats(&server.handle), (2, 2, 0));
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn what_is_in_no_envelope_reaches_no_handler_and_is_not_answered() {
    for required in [true, false] {
        let (net, network) = memory();
        let server = Server::builder(Text, async |text: String| text)
            .address_token_envelope(tokens().required(required));
        let server = net.serve(server).await;
        let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

        let challenge = [&[CHALLENGE][..], &token(&peer, 0)].concat();
        let others = [b"hi".to_vec(), vec![REPLY; 40], challenge, vec![REQUEST; 16], Vec::new()];
        for datagram in &others {
            peer.send(datagram).await;
        }
        until(|| server.handle.stats().received == 5).await;
        assert_eq!(stats(&server.handle), (0, 0, 5));
        assert!(peer.hears_nothing().await);

        // The payload may be empty.
        peer.send(request(token(&peer, 0), b"")).await;
        assert_eq!(peer.recv().await, [REPLY]);
        assert_eq!(server.handle.stats().delivered, 1);
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_repetition_with_another_token_gets_the_same_reply() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handler = tagged(move |text: String| {
        counted.fetch_add(1, Relaxed);
        async move { text.to_uppercase() }
    });
    let (net, network) = memory();
    let server = Server::builder(TaggedServer::new(Text), handler)
        .address_token_envelope(tokens().required(true))
        .reply_cache(ReplyCache::default());
    let server = net.serve(server).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    for seconds_ago in [20, 10, 0] {
        peer.send(request(token(&peer, seconds_ago), b"\0\0\0\0\x07hi")).await;
        assert_eq!(peer.recv().await, b"\x11\x01\0\0\0\x07HI");
    }
    let stats = server.handle.stats();
    assert_eq!((calls.load(Relaxed), stats.replayed), (1, 2));
    assert_eq!(stats.dropped(DropReason::Duplicate), 2);

    // Another payload with the same id is another request.
    peer.send(request(token(&peer, 0), b"\0\0\0\0\x07ho")).await;
    assert_eq!(peer.recv().await, b"\x11\x01\0\0\0\x07HO");
    // A datagram in no envelope repeats nothing.
    peer.send(b"\0\0\0\0\x07ho").await;
    until(|| server.handle.stats().dropped(DropReason::NoEnvelope) == 1).await;
    assert!(peer.hears_nothing().await);
    assert_eq!((calls.load(Relaxed), server.handle.stats().replayed), (2, 2));
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_peer_with_a_token_gets_long_replies() {
    let (network, server) = guarded(lengths().address_token_envelope(tokens())).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    peer.send(request([0; 16], b"5000")).await;
    until(|| server.handle.stats().over_budget == 1).await;
    assert!(peer.hears_nothing().await);
    peer.send(request(token(&peer, 0), b"5000")).await;
    assert_eq!(peer.recv().await.len(), 5_001);
    server.stop().await;
}

//
#[cfg(target_os = "linux")]
#[tokio::test]
async fn over_unix_sockets_there_are_envelopes_and_no_challenges() {
    let server = Server::builder(Text, async |text: String| text)
        .guard(Guard::internet())
        .address_token_envelope(tokens().required(true));
    let server = Net::Unix.serve(server).await;
    let peer = Net::Unix.peer_of(&server.handle).await;

    peer.send(request([0; 16], b"hi")).await;
    assert_eq!(peer.recv().await, b"\x11hi");
    peer.send(b"hi").await;
    until(|| server.handle.stats().dropped(DropReason::NoEnvelope) == 1).await;
    assert_eq!(stats(&server.handle), (0, 0, 1));
    server.stop().await;
}
