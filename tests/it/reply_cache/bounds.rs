//! The limits of the reply cache.

use std::net::{Ipv4Addr, SocketAddrV4};

use datagrammar::{BindError, LimitError, Raw};

use super::*;
use crate::support::{BindNow, client_on};

/// How many bytes a request counts without its reply.
const OVERHEAD: usize = 256;

//
#[tokio::test(start_paused = true)]
async fn a_request_is_new_again_after_its_time() {
    let (net, calls) = (Net::memory(), Calls::default());
    let server = net.serve(numbered(calls.echo())).await;
    let peer = net.peer_of(&server.handle).await;
    assert_eq!(peer.ask("1 a").await, "1 a 1");

    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(peer.ask("1 a").await, "1 a 1");
    tokio::time::sleep(Duration::from_millis(9_900)).await;
    assert_eq!(peer.ask("1 a").await, "1 a 1");
    tokio::time::sleep(Duration::from_millis(100)).await;

    assert_eq!(peer.ask("1 a").await, "1 a 2");
    assert_eq!(server.handle.stats().reply_cache_evictions, 0);
    end(server, 2).await;
}

// the time is a setting
#[tokio::test(start_paused = true)]
async fn a_longer_time_protects_for_longer() {
    let (net, calls) = (Net::memory(), Calls::default());
    let cache = ReplyCache::default().ttl(Duration::from_secs(100));
    let server = net.serve(Server::builder(Numbered, calls.echo()).reply_cache(cache)).await;
    let peer = net.peer_of(&server.handle).await;
    assert_eq!(peer.ask("1 a").await, "1 a 1");

    tokio::time::sleep(Duration::from_secs(99)).await;

    assert_eq!(peer.ask("1 a").await, "1 a 1");
    end(server, 1).await;
}

//
#[tokio::test(start_paused = true)]
async fn beyond_a_limit_the_oldest_request_is_forgotten() {
    for cache in [
        ReplyCache::default().max_entries(2),
        // Each reply has 5 bytes.
        ReplyCache::default().max_bytes(2 * (OVERHEAD + 5)),
    ] {
        let (net, calls) = (Net::memory(), Calls::default());
        let server = net.serve(Server::builder(Numbered, calls.echo()).reply_cache(cache)).await;
        let peer = net.peer_of(&server.handle).await;
        assert_eq!(peer.ask("1 a").await, "1 a 1");
        assert_eq!(peer.ask("2 b").await, "2 b 2");
        assert_eq!(peer.ask("1 a").await, "1 a 1");
        assert_eq!(server.handle.stats().reply_cache_evictions, 0);

        assert_eq!(peer.ask("3 c").await, "3 c 3");

        assert_eq!(server.handle.stats().reply_cache_evictions, 1);
        assert_eq!(peer.ask("2 b").await, "2 b 2");
        assert_eq!(peer.ask("3 c").await, "3 c 3");
        assert_eq!(peer.ask("1 a").await, "1 a 4");
        assert_eq!(server.handle.stats().reply_cache_evictions, 2);
        end(server, 3).await;
    }
}

// a request is served even if nothing can be remembered
#[tokio::test(start_paused = true)]
async fn a_cache_that_is_too_small_for_a_request_serves_each_datagram() {
    let (net, calls) = (Net::memory(), Calls::default());
    let cache = ReplyCache::default().max_bytes(1);
    let server = net.serve(Server::builder(Numbered, calls.echo()).reply_cache(cache)).await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("1 a").await, "1 a 1");
    assert_eq!(peer.ask("1 a").await, "1 a 2");
    end(server, 0).await;
}

//
#[tokio::test(start_paused = true)]
async fn many_sources_do_not_keep_other_clients_from_being_served() {
    const SOURCES: u32 = 20_000;

    let (net, calls) = (Net::memory(), Calls::default());
    let Net::Memory(network) = &net else { unreachable!() };
    let cache = ReplyCache::default().max_entries(1_000);
    let server = net.serve(Server::builder(Numbered, calls.echo()).reply_cache(cache)).await;
    let peer = net.peer_of(&server.handle).await;
    let to = server.handle.local_addrs()[0].socket_addr().unwrap();

    for n in 0..SOURCES {
        let from = SocketAddrV4::new(Ipv4Addr::from(0x0b00_0000 + n), 5_000);
        let source = Bytes(client_on(network.connect(from, to).unwrap(), Raw).unwrap());
        source.send("1 flood").await;
        if n % 1_000 == 0 {
            let before = calls.get();
            let request = format!("1 {n}");
            let reply = peer.ask(&request).await;
            assert_eq!(peer.ask(&request).await, reply);
            assert!(calls.get() > before);
        }
    }
    until(|| server.handle.stats().received == u64::from(SOURCES + 40)).await;

    assert_eq!(server.handle.stats().reply_cache_evictions, u64::from(SOURCES + 20 - 1_000));
    end(server, 20).await;
}

// G-1
#[tokio::test]
async fn a_limit_of_zero_is_refused() {
    for (name, cache) in [
        ("ReplyCache::ttl", ReplyCache::default().ttl(Duration::ZERO)),
        ("ReplyCache::max_entries", ReplyCache::default().max_entries(0)),
        ("ReplyCache::max_bytes", ReplyCache::default().max_bytes(0)),
    ] {
        let builder = Server::builder(Numbered, async |text: String| text).reply_cache(cache);
        let error = builder.bind_now("127.0.0.1:0").unwrap_err();
        assert!(
            matches!(error, BindError::Limit(LimitError::Zero(limit)) if limit == name),
            "{error}"
        );
    }
    let cache = ReplyCache::default().ttl(Duration::from_secs(1)).max_entries(2).max_bytes(3);
    assert_eq!(
        (cache.get_ttl().as_secs(), cache.get_max_entries(), cache.get_max_bytes()),
        (1, 2, 3)
    );
}
