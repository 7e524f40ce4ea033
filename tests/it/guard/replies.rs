//! how many replies an address and its networks may get. A-5: replies that are sent again.

use std::time::Duration;

use datagrammar::{
    Chunked, DropReason, Guard, ReplyCache, RequestClient, Server, Tagged, TaggedServer, Text,
    no_reply, tagged,
};

use super::{guarded, peer_at};
use crate::support::{BindNow, Net, conversing, until, within_deadline};

const SECOND: Duration = Duration::from_secs(1);

//
#[tokio::test(start_paused = true)]
async fn an_address_gets_a_burst_of_replies_and_then_so_many_a_second() {
    let (network, server) = guarded(Server::builder(Text, async |text: String| text)).await;
    let stats = || server.handle.stats();
    let one = peer_at(&network, "10.0.0.7:5000", &server.handle);
    let same = peer_at(&network, "10.0.0.7:5001", &server.handle);
    let other = peer_at(&network, "10.0.0.8:5000", &server.handle);

    one.send_all((0..100).map(|n| n.to_string())).await;
    same.send_all((0..100).map(|n| n.to_string())).await;
    until(|| stats().received == 200).await;
    assert_eq!((stats().sent, stats().over_rate), (125, 1));
    // After the first refusal, nothing more is decoded.
    assert_eq!((stats().delivered, stats().dropped(DropReason::Rate)), (126, 74));
    assert_eq!(other.ask("hello").await, "hello");

    tokio::time::sleep(SECOND).await;
    one.send_all((0..100).map(|n| n.to_string())).await;
    until(|| stats().received == 301).await;
    let sent = stats().sent - 126;
    // `until` itself takes some milliseconds.
    assert!((50..=53).contains(&sent), "{sent}");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn networks_have_a_rate_too() {
    let answered = async |addr: fn(u32) -> String, peers: u32| {
        let net = Net::memory();
        let Net::Memory(network) = &net else { unreachable!() };
        let guard = Guard::internet().reply_rate(2).reply_burst(2);
        let server = Server::builder(Text, async |text: String| text).guard(guard);
        let bound =
            network.bind(if addr(0).starts_with('[') { "[fd00::1]:7" } else { "10.9.9.9:7" });
        let running =
            crate::support::Running::start(server.bind_now(bound.unwrap()).unwrap()).await;
        for n in 0..peers {
            let peer = peer_at(network, &addr(n), &running.handle);
            peer.send_all((0..3).map(|n| n.to_string())).await;
        }
        until(|| running.handle.stats().received == u64::from(3 * peers)).await;
        let sent = running.handle.stats().sent;
        running.stop().await;
        sent
    };

    // 2 to an address; 64 to a /24, 512 to a /20.
    assert_eq!(answered(|n| format!("10.0.0.{}:5000", n + 1), 20).await, 40);
    assert_eq!(answered(|n| format!("10.0.0.{}:5000", n + 1), 60).await, 64);
    assert_eq!(answered(|n| format!("10.0.{}.{}:5000", n / 30, n % 30 + 1), 360).await, 512);
    // 2 to an address, 4 to a /64, 6 to a /56, 8 to a /48.
    assert_eq!(answered(|n| format!("[fd01::{:x}]:5000", n + 1), 5).await, 4);
    assert_eq!(answered(|n| format!("[fd01:0:0:{n:x}::1]:5000"), 5).await, 6);
    assert_eq!(answered(|n| format!("[fd01:0:0:{n:x}00::1]:5000"), 9).await, 8);
    assert_eq!(answered(|n| format!("[fd01:0:{n:x}::1]:5000"), 9).await, 18);
}

//
#[tokio::test(start_paused = true)]
async fn requests_without_a_reply_and_validated_peers_have_no_rate() {
    let telemetry = no_reply(async |_: String| ());
    let (network, server) = guarded(Server::builder(Text, telemetry)).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);
    peer.send_all((0..1_000).map(|n| n.to_string())).await;
    until(|| server.handle.stats().delivered == 1_000).await;
    server.stop().await;

    let game = conversing!(|peer| {
        peer.validate();
        loop {
            let text = peer.recv().await?;
            peer.send(&text).await?;
        }
    });
    let (network, server) = guarded(Server::builder(Text, game)).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);
    for n in 0..1_000 {
        assert_eq!(peer.ask(&n.to_string()).await, n.to_string());
    }
    server.stop().await;
}

// two servers that answer each other
#[tokio::test(start_paused = true)]
async fn a_loop_of_two_servers_ends() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let echo = |addr: &str| {
        let server = Server::builder(Text, async |text: String| text).guard(Guard::internet());
        server.bind_now(network.bind(addr).unwrap()).unwrap()
    };
    let (first, second) = (echo("10.0.0.1:7000"), echo("10.0.0.2:7000"));
    let (handle, other) = (first.handle(), second.handle());
    let serving = [first.spawn(), second.spawn()];
    assert!(handle.ready().await && other.ready().await);

    // As if the second one had sent it, ten times.
    let sender = other.sender::<String>(handle.local_addrs().swap_remove(0)).unwrap();
    for n in 0..10 {
        sender.send(format!("hello {n}")).await.unwrap();
    }
    tokio::time::sleep(10 * SECOND).await;
    let sent = || handle.stats().sent + other.stats().sent;
    let before = sent();
    assert!(before <= 10 + 2 * 126, "{before}");
    tokio::time::sleep(100 * SECOND).await;

    assert_eq!(sent(), before);
    handle.shutdown().await;
    other.shutdown().await;
    for serving in serving {
        serving.await.unwrap().unwrap();
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_duplicate_pays_for_the_reply_that_is_sent_again() {
    let shout = tagged(async |text: String| text.repeat(2));
    let server = Server::builder(TaggedServer::new(Text), shout).reply_cache(ReplyCache::default());
    let (network, server) = guarded(server).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);
    let request = [b"\x00abcd".as_slice(), b"12345"].concat();

    peer.send(&request).await;
    let reply = within_deadline(peer.recv()).await;
    assert_eq!(reply.len(), 15);
    for _ in 0..200 {
        peer.send(&request).await;
    }
    until(|| server.handle.stats().received == 201).await;

    let stats = server.handle.stats();
    // The rate of replies is the same.
    assert_eq!((stats.replayed, stats.over_rate, stats.delivered), (124, 76, 1));
    server.stop().await;
}

/// Asks for a long reply with `"10000"`, which is validated if the request says so.
async fn long_reply(request: &str) -> (Option<String>, datagrammar::ServerStats) {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let handler = Long;
    let server = Server::builder(TaggedServer::new(Text), handler)
        .chunked(Chunked::with_limit(200_000))
        .guard(Guard::internet());
    let server = net.serve(server).await;
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    let client = RequestClient::builder(Tagged::new(Text))
        .chunked(Chunked::with_limit(200_000))
        .total_timeout(3 * SECOND)
        .connect(network.connect("10.0.0.3:5000", addr).unwrap());
    let client = client.await.unwrap();
    let response = client.request(request.to_owned()).await.ok();
    let stats = server.handle.stats();
    server.stop().await;
    (response, stats)
}

/// Answers with 60,000 bytes.
struct Long;

impl datagrammar::Handler<datagrammar::TaggedRequest<String>, datagrammar::TaggedResponse<String>>
    for Long
{
    async fn handle(
        &self,
        peer: &mut datagrammar::Peer<
            datagrammar::TaggedRequest<String>,
            datagrammar::TaggedResponse<String>,
        >,
    ) -> Result<(), datagrammar::BoxError> {
        let request = peer.recv().await?;
        if request.starts_with("secret") {
            peer.validate();
        }
        Ok(peer.send(request.respond("x".repeat(60_000))).await?)
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_reply_in_chunks_needs_a_validated_peer_or_a_long_request() {
    let (response, stats) = long_reply("guess").await;
    assert_eq!(response, None);
    assert!(stats.over_budget > 0 && stats.sent == 0, "{stats}");

    let (response, stats) = long_reply("secret").await;
    assert_eq!(response.unwrap().len(), 60_000);
    assert_eq!(stats.over_budget, 0);
}
