//! servers that ask for address tokens.

use datagrammar::{
    AddressTokens, Chunked, DatagramProtocol, DecodeError, DropReason, EncodeError, Guard, Limits,
    PeerTokens, ReplyCache, Server, ServerBuilder, ServerHandle, Text, TokenSecret,
    ValidateAddress, testing::Network,
};

use super::{peer_at, wanted};
use crate::{
    log::Log,
    support::{Bytes, Net, Running, conversing, until},
};

/// Text behind a token of 16 bytes. A response begins with `=`, and a challenge is `?` and a token.
#[derive(Clone, Copy)]
pub(super) struct Cookie;

impl DatagramProtocol for Cookie {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        Text.decode(datagram.get(16..).ok_or(DecodeError::codec("no token"))?)
    }

    fn encode(&self, text: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.push(b'=');
        Text.encode(text, datagram)
    }
}

impl ValidateAddress for Cookie {
    fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
        assert_ne!(datagram, b"panic");
        datagram.first_chunk().is_some_and(|token: &[u8; 16]| tokens.is_valid(b"", token))
    }

    fn challenge(&self, datagram: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
        challenge.push(b'?');
        challenge.extend_from_slice(&tokens.issue(b""));
        datagram != [0; 40]
    }
}

impl datagrammar::Correlated for Cookie {
    fn max_id(&self) -> u64 {
        0
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        (datagram.len() > 16).then_some(0)
    }

    fn set_id(&self, _: u64, _: &mut [u8]) {}
}

pub(super) fn secret() -> TokenSecret {
    TokenSecret::from([7; 16])
}

/// Conversations that repeat as many bytes as the peer wants.
fn talking() -> ServerBuilder<Cookie> {
    let handler = conversing!(|peer| {
        loop {
            let text = peer.recv().await?;
            let _ = peer.send("x".repeat(wanted(&text))).await;
            if text.ends_with("once") {
                return Ok(());
            }
        }
    });
    Server::builder(Cookie, handler)
}

async fn serve(builder: ServerBuilder<Cookie>) -> (Network, Running) {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    (network.clone(), net.serve(builder).await)
}

/// Asks for a token.
async fn token(peer: &Bytes) -> Vec<u8> {
    peer.send([0; 17]).await;
    let challenge = peer.recv().await;
    assert_eq!((challenge.len(), challenge[0]), (17, b'?'));
    challenge[1..].to_vec()
}

async fn ask(peer: &Bytes, token: &[u8], text: &str) -> Vec<u8> {
    peer.send([token, text.as_bytes()].concat()).await;
    peer.recv().await
}

fn stats(handle: &ServerHandle) -> (u64, u64, u64) {
    let stats = handle.stats();
    (stats.challenges, stats.dropped(DropReason::Unproven), stats.delivered)
}

//
#[tokio::test(start_paused = true)]
async fn a_required_token_is_checked_before_anything_is_kept_or_decoded() {
    let tokens = AddressTokens::new(secret()).required(true);
    let server = talking().address_tokens(tokens).reply_cache(ReplyCache::default());
    let (network, server) = serve(server.limits(Limits::default().max_conversations(10))).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    for n in 0..1_000 {
        let forged =
            peer_at(&network, &format!("10.1.{}.{}:5000", n / 250, n % 250), &server.handle);
        forged.send([0; 30]).await;
    }
    until(|| server.handle.stats().received == 1_000).await;
    assert_eq!(stats(&server.handle), (1_000, 1_000, 0));
    assert_eq!(server.handle.stats().sent_bytes, 17_000);

    let token = token(&peer).await;
    assert_eq!(ask(&peer, &token, "500").await.len(), 501);
    // In conversation it needs none.
    assert_eq!(ask(&peer, &[0; 16], "20 once").await.len(), 21);
    peer.send([0; 20]).await;
    assert_eq!(peer.recv().await[0], b'?');
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn the_token_of_another_peer_or_server_is_not_valid_and_that_of_a_replica_is() {
    let server = || talking().address_tokens(AddressTokens::new(secret()).required(true));
    let (network, first) = serve(server()).await;
    let (other_network, second) = serve(server()).await;
    let stranger = AddressTokens::new(TokenSecret::from([8; 16])).required(true);
    let (third_network, third) = serve(talking().address_tokens(stranger)).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &first.handle);
    let token = token(&peer).await;

    let replica = peer_at(&other_network, "10.0.0.1:5000", &second.handle);
    assert_eq!(ask(&replica, &token, "3").await, b"=xxx");
    for peer in [
        peer_at(&network, "10.0.0.1:5001", &first.handle),
        peer_at(&network, "10.0.0.2:5000", &first.handle),
        peer_at(&third_network, "10.0.0.1:5000", &third.handle),
    ] {
        assert_eq!(ask(&peer, &token, "3").await[0], b'?');
    }
    for server in [first, second, third] {
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_valid_token_lifts_the_budget_also_in_the_middle_of_a_conversation() {
    let server = talking().address_tokens(AddressTokens::new(secret())).guard(Guard::internet());
    let (network, server) = serve(server).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);
    let token = {
        let now = std::time::SystemTime::now();
        let tokens = AddressTokens::new(secret());
        tokens.for_peer("10.0.0.1:5000".parse().unwrap(), now).issue(b"")
    };

    peer.send([&[0; 16], &b"5000"[..]].concat()).await;
    until(|| server.handle.stats().over_budget == 1).await;
    assert_eq!(ask(&peer, &token, "5000").await.len(), 5_001);
    assert_eq!(ask(&peer, &[0; 16], "5000 once").await.len(), 5_001);
    assert_eq!(ask(&peer, &token, "5000 once").await.len(), 5_001);
    assert_eq!(stats(&server.handle), (0, 0, 4));
    server.stop().await;
}

// both with a guard and without one
#[tokio::test(start_paused = true)]
async fn tokens_are_asked_for_when_a_quarter_of_all_places_is_taken() {
    for guard in [None, Some(Guard::internet())] {
        let mut server = talking().address_tokens(AddressTokens::new(secret()));
        if let Some(guard) = guard.clone() {
            server = server.guard(guard);
        }
        let (network, server) = serve(server.limits(Limits::default().max_conversations(40))).await;
        let peer = |n: usize| peer_at(&network, &format!("10.0.0.{n}:5000"), &server.handle);

        for n in 1..=11 {
            assert_eq!(ask(&peer(n), &[0; 16], "3").await, b"=xxx", "{n}");
        }
        let late = peer(12);
        assert_eq!(ask(&late, &[0; 16], "3 .......").await[0], b'?');
        let token = token(&late).await;
        assert_eq!(ask(&late, &token, "3").await, b"=xxx");
        // Those in conversation go on.
        assert_eq!(ask(&peer(1), &[0; 16], "3 once").await, b"=xxx");
        assert_eq!(ask(&peer(2), &[0; 16], "3 once").await, b"=xxx");
        until(|| server.handle.stats().active_conversations == 10).await;
        let again = ask(&peer(13), &[0; 16], "3 .......").await[0];
        // With a guard, the one with a token does not count.
        assert_eq!(again, b'=');
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_challenge_is_not_longer_than_its_datagram_and_may_be_none() {
    let tokens = AddressTokens::new(secret()).required(true);
    let (network, server) = serve(talking().address_tokens(tokens)).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    peer.send([0; 16]).await;
    peer.send([0; 40]).await;
    peer.send([]).await;
    until(|| server.handle.stats().received == 3).await;
    assert_eq!(stats(&server.handle), (0, 3, 0));
    assert!(peer.hears_nothing().await);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn the_guard_limits_the_rate_of_challenges() {
    let tokens = AddressTokens::new(secret()).required(true);
    let server = talking().address_tokens(tokens).guard(Guard::internet());
    let (network, server) = serve(server).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    for _ in 0..300 {
        peer.send([0; 17]).await;
    }
    until(|| server.handle.stats().received == 300).await;

    assert_eq!(stats(&server.handle), (125, 300, 0));
    server.stop().await;
}

// A-9, H-6
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_protocol_is_logged_and_the_datagram_has_no_token() {
    let log = Log::capture();
    let tokens = AddressTokens::new(secret()).required(true);
    let (network, server) = serve(talking().address_tokens(tokens)).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    peer.send("panic").await;
    until(|| server.handle.stats().received == 1).await;

    assert_eq!(stats(&server.handle), (0, 1, 0));
    assert!(log.alarms()[0].message.contains("token"));
    let token = token(&peer).await;
    assert_eq!(ask(&peer, &token, "3").await, b"=xxx");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn with_chunks_a_packet_in_one_datagram_has_a_token_and_a_chunk_has_none() {
    let tokens = AddressTokens::new(secret()).required(true);
    let server = talking().address_tokens(tokens).chunked(Chunked::with_limit(5_000));
    let (network, server) = serve(server).await;
    let peer = peer_at(&network, "10.0.0.1:5000", &server.handle);

    peer.send([0; 30]).await;
    let challenge = peer.recv().await;
    assert_eq!(challenge[..2], [0, b'?']);
    assert_eq!(ask(&peer, &[&[0], &challenge[2..]].concat(), "3 once").await, b"\0=xxx");
    // The kind of a chunk.
    peer.send([1; 600]).await;
    until(|| server.handle.stats().dropped(DropReason::Unproven) == 2).await;
    server.stop().await;
}
