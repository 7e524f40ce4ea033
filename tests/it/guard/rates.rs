//! at most so many datagrams from each source.

use std::time::Duration;

use datagrammar::{
    BindError, DropReason, LimitError, RateLimit, Server, Text,
    testing::{Conditions, Network},
};

use super::peer_at;
use crate::support::{BindNow, Net, conversing, until};

fn limit() -> RateLimit {
    RateLimit::per_second(50).burst(125)
}

//
#[tokio::test(start_paused = true)]
async fn what_a_source_sends_beyond_its_rate_is_dropped_and_others_are_served() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let echo = async |text: String| text;
    let server = net.serve(Server::builder(Text, echo).rate_limit(limit())).await;
    let stats = || server.handle.stats();
    let (one, same) = (
        peer_at(&network, "10.0.0.7:1", &server.handle),
        peer_at(&network, "10.0.0.7:2", &server.handle),
    );
    let other = peer_at(&network, "10.0.0.8:1", &server.handle);

    // All ports of an address count together.
    one.send_all((0..100).map(|n| n.to_string())).await;
    same.send_all((0..100).map(|n| n.to_string())).await;
    until(|| stats().received == 200).await;
    assert_eq!((stats().delivered, stats().dropped(DropReason::Rate)), (125, 75));
    for n in 0..100 {
        assert_eq!(one.recv_text().await, n.to_string());
    }
    assert_eq!(other.ask("hello").await, "hello");

    tokio::time::sleep(Duration::from_secs(1)).await;
    one.send_all((0..100).map(|n| n.to_string())).await;
    until(|| stats().received == 301).await;
    let delivered = stats().delivered - 126;
    // `until` itself takes some milliseconds.
    assert!((50..=53).contains(&delivered), "{delivered}");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_conversation_goes_on_below_the_rate() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let handler = conversing!(|peer| {
        let mut count = 0;
        loop {
            let text = peer.recv().await?;
            count += 1;
            peer.send(format!("{text} {count}")).await?;
        }
    });
    let limit = RateLimit::per_second(10).burst(2);
    let server = net.serve(Server::builder(Text, handler).rate_limit(limit)).await;
    let peer = peer_at(&network, "10.0.0.7:1", &server.handle);

    for n in 1..=50 {
        assert_eq!(peer.ask("hello").await, format!("hello {n}"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    assert_eq!(server.handle.stats().dropped(DropReason::Rate), 0);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn with_several_limits_each_must_allow_a_datagram() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let echo = async |text: String| text;
    let server = Server::builder(Text, echo)
        .rate_limit(RateLimit::per_second(10))
        .rate_limit(RateLimit::per_second(25).ipv4_prefix(24));
    let server = net.serve(server).await;

    for n in 0..4 {
        let peer = peer_at(&network, &format!("10.0.0.{}:5000", n + 5), &server.handle);
        peer.send_all((0..20).map(|n| n.to_string())).await;
    }
    let far = peer_at(&network, "10.0.1.7:1", &server.handle);
    assert_eq!(far.ask("hello").await, "hello");

    until(|| server.handle.stats().received == 81).await;
    // Ten of each address, and 25 of all four, which are in one network.
    assert_eq!(server.handle.stats().delivered, 26);
    server.stop().await;
}

// A-1, D-18
#[tokio::test(start_paused = true)]
async fn what_the_filter_refuses_counts_as_refused_and_costs_nothing() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let echo = async |text: String| text;
    let server = Server::builder(Text, echo)
        .source_filter(|peer| peer.port() != Some(1))
        .rate_limit(RateLimit::per_second(1).burst(2));
    let server = net.serve(server).await;
    let (refused, peer) = (
        peer_at(&network, "10.0.0.7:1", &server.handle),
        peer_at(&network, "10.0.0.7:2", &server.handle),
    );

    refused.send_all((0..100).map(|n| n.to_string())).await;
    until(|| server.handle.stats().dropped(DropReason::Refused) == 100).await;

    assert_eq!(peer.ask("a").await, "a");
    assert_eq!(peer.ask("b").await, "b");
    server.stop().await;
}

// two servers that answer each other
#[tokio::test(start_paused = true)]
async fn it_slows_down_a_loop_of_two_servers() {
    let network = Network::new(1, Conditions::default());
    let echo = || async |text: String| text;
    let limited = |addr: &str| {
        let server = Server::builder(Text, echo()).rate_limit(RateLimit::per_second(5));
        server.bind_now(network.bind(addr).unwrap()).unwrap()
    };
    let (first, second) = (limited("10.0.0.1:7"), limited("10.0.0.2:7"));
    let (handle, other) = (first.handle(), second.handle());
    first.spawn();
    second.spawn();
    handle.ready().await;

    // As if the second one had sent it.
    let sender = other.sender::<String>(handle.local_addrs().swap_remove(0)).unwrap();
    sender.send("hello".to_owned()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;

    // The burst is five, and then the next one is lost, so nothing is left to be answered.
    let received = handle.stats().received + other.stats().received;
    assert_eq!(received, 11);
    handle.shutdown().await;
    other.shutdown().await;
}

// A-1, G-1
#[tokio::test(start_paused = true)]
async fn a_rate_of_zero_is_refused_by_name() {
    for (limit, name) in [
        (RateLimit::per_second(0), "RateLimit::per_second"),
        (RateLimit::per_second(1).burst(0), "RateLimit::burst"),
    ] {
        let server = Server::builder(Text, async |text: String| text).rate_limit(limit);
        let error = server.bind_now(Net::memory().socket()).unwrap_err();
        assert!(
            matches!(error, BindError::Limit(LimitError::Zero(limit)) if limit == name),
            "{error:?}"
        );
    }
}

//
#[cfg(target_os = "linux")]
#[tokio::test]
async fn peers_on_unix_sockets_are_not_limited() {
    let net = Net::Unix;
    let echo = async |text: String| text;
    let limit = RateLimit::per_second(1);
    let server = net.serve(Server::builder(Text, echo).rate_limit(limit)).await;
    let peer = net.peer_of(&server.handle).await;

    for _ in 0..20 {
        assert_eq!(peer.ask("hello").await, "hello");
    }

    server.stop().await;
}

//
#[test]
fn options_have_defaults_and_borders() {
    let limit = RateLimit::per_second(50);
    assert_eq!((limit.get_per_second(), limit.get_burst()), (50, 50));
    assert_eq!((limit.get_ipv4_prefix(), limit.get_ipv6_prefix()), (32, 64));
    let limit = limit.burst(7).ipv4_prefix(33).ipv6_prefix(129);
    assert_eq!((limit.get_burst(), limit.get_ipv4_prefix(), limit.get_ipv6_prefix()), (7, 32, 128));
}
