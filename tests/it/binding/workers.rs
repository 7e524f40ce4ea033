//! Several workers on one address.

use std::{
    future::ready,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use datagrammar::{BindError, Server, Text, ToAddrs, Udp};
use futures_util::future::join_all;

use super::{free_addr, is_free, local_addrs, peer_at};
use crate::support::{Running, conversing, until};

/// An echo server with `workers` workers.
async fn bind_workers(workers: usize, addrs: impl ToAddrs) -> Result<Server, BindError> {
    Server::bind(Udp::new(addrs).workers(workers), Text, ready::<String>).await
}

/// How many bytes wait in each socket that is bound to `port`.
pub(super) fn waiting(port: u16) -> Vec<u64> {
    let table = |path| std::fs::read_to_string(path).unwrap();
    let tables = table("/proc/net/udp") + &table("/proc/net/udp6");
    let local = format!(":{port:04X}");
    let bound = tables.lines().filter_map(|line| {
        let [_, addr, _, _, queues, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        let (_, queue) = queues.split_once(':')?;
        addr.ends_with(&local).then(|| u64::from_str_radix(queue, 16).unwrap())
    });
    bound.collect()
}

// B-2
#[tokio::test]
async fn all_workers_share_the_port_that_the_kernel_chose_and_the_address_is_listed_once() {
    let server = bind_workers(3, ["127.0.0.1:0", "[::1]:0"]).await.unwrap();

    let bound = local_addrs(&server);

    assert_eq!(bound.len(), 2);
    assert_eq!(server.local_addr(), bound[0]);
    assert!(bound[0].is_ipv4() && bound[1].is_ipv6());
    until(|| bound.iter().all(|addr| waiting(addr.port()).len() >= 3)).await;
}

// B-3
#[tokio::test]
async fn port_0_is_never_a_port_that_another_server_shares() {
    let addrs = ["127.0.0.25:0", "127.0.0.26:0"];
    let servers = join_all((0..50).map(|_| bind_workers(2, addrs))).await;

    let mut bound: Vec<_> =
        servers.into_iter().flat_map(|server| local_addrs(&server.unwrap())).collect();
    bound.sort();
    bound.dedup();

    assert_eq!(bound.len(), 100);
}

// B-4
#[tokio::test]
async fn if_not_all_workers_can_bind_an_address_nothing_is_bound_and_the_error_names_it_once() {
    let holder = UdpSocket::bind("127.0.0.27:0").unwrap();
    let used = holder.local_addr().unwrap();
    let free = free_addr("127.0.0.27");

    let error = bind_workers(3, [free, used]).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(error.to_string().matches(&used.to_string()).count(), 1, "{error}");
    assert!(is_free(free));
}

// B-10, B-11
#[tokio::test]
async fn a_port_is_shared_only_if_both_sides_ask_for_it() {
    let alone = bind_workers(1, "127.0.0.28:0").await.unwrap();
    let shared = bind_workers(2, "127.0.0.28:0").await.unwrap();

    let second = |server: &Server, count| bind_workers(count, server.local_addr());

    assert_eq!(second(&alone, 1).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(second(&alone, 2).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(second(&shared, 1).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(second(&shared, 2).await.is_ok());
}

// B-13
#[tokio::test]
async fn zero_workers_and_one_socket_for_several_workers_are_invalid_input() {
    let none = bind_workers(0, "127.0.0.1:0").await.unwrap_err();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = Udp::from(socket).workers(2);
    let of_a_user = Server::bind(udp, Text, ready::<String>).await.unwrap_err();

    for error in [none, of_a_user] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("`workers`"), "{error}");
    }
}

// B-12
#[tokio::test]
async fn peers_are_spread_over_the_workers() {
    for ip in ["127.0.0.1", "::1", "0.0.0.0", "::"] {
        let server = bind_workers(3, (ip, 0)).await.unwrap();
        let port = server.local_addr().port().unwrap();
        let to = SocketAddr::new(if ip == "::1" { ip } else { "127.0.0.1" }.parse().unwrap(), port);
        let socket = |_| UdpSocket::bind((to.ip(), 0)).unwrap();
        let peers: Vec<_> = (0..100).map(socket).collect();

        for peer in &peers {
            peer.send_to(b"hello", to).unwrap();
        }

        // The chance that a given worker gets none of a hundred peers is about 1 in 10^17. On a busy machine the kernel
        // delivers them a moment later.
        until(|| waiting(port).iter().filter(|bytes| **bytes > 0).count() >= 3).await;
    }
}

/// Sends three datagrams from each of 100 peers, to the addresses `to` in turn.
fn send_to_each(to: &[Ipv4Addr], port: u16) -> Vec<UdpSocket> {
    let peers: Vec<_> = (0..100).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for (peer, n) in peers.iter().flat_map(|peer| [(peer, 0), (peer, 1), (peer, 2)]) {
        peer.send_to(n.to_string().as_bytes(), (to[n % to.len()], port)).unwrap();
    }
    peers
}

/// A server whose conversations require the numbers 0, 1, 2 and then do not end.
async fn counting(ip: &str) -> Server {
    let handler = conversing!(|peer| {
        for n in 0..3 {
            assert_eq!(peer.recv().await?, n.to_string());
        }
        peer.recv().await.map(drop).map_err(Into::into)
    });
    Server::builder(Text, handler).bind(Udp::new((ip, 0)).workers(3)).await.unwrap()
}

// B-12, D-8, G-14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_peer_is_served_by_one_worker_in_one_conversation() {
    let server = counting("127.0.0.1").await;
    let port = server.local_addr().port().unwrap();

    let _peers = send_to_each(&[Ipv4Addr::LOCALHOST], port);
    let server = Running::start(server).await;

    until(|| server.handle.stats().delivered == 300).await;
    let stats = server.handle.stats();
    assert_eq!((stats.received, stats.active_conversations, stats.panicked), (300, 100, 0));
    server.stop().await;
}

// B-12, D-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_sends_to_two_addresses_of_a_wildcard_is_served_by_one_worker() {
    for ip in ["0.0.0.0", "::"] {
        let server = counting(ip).await;
        let port = server.local_addr().port().unwrap();

        let _peers = send_to_each(&[Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)], port);
        let server = Running::start(server).await;

        until(|| server.handle.stats().delivered == 300).await;
        let stats = server.handle.stats();
        assert_eq!((stats.received, stats.active_conversations, stats.panicked), (300, 100, 0));
        server.stop().await;
    }
}

// B-11, B-12
#[tokio::test]
async fn peers_stay_with_their_worker_when_another_server_shares_the_port() {
    for ip in ["127.0.0.1", "::1", "0.0.0.0", "::"] {
        let first = bind_workers(2, (ip, 0)).await.unwrap();
        let port = first.local_addr().port().unwrap();
        let to = SocketAddr::new(if ip == "::1" { ip } else { "127.0.0.1" }.parse().unwrap(), port);
        let first = Running::start(first).await;
        let second = Running::start(bind_workers(2, (ip, port)).await.unwrap()).await;

        for _ in 0..50 {
            peer_at(to).await.ask("hello").await;
        }
        assert_eq!(second.handle.stats().received, 0);
        first.stop().await;

        // The first server has closed its sockets, so now the other one serves all peers.
        for _ in 0..50 {
            peer_at(to).await.ask("hello").await;
        }
        assert_eq!(second.handle.stats().received, 50);
        second.stop().await;
    }
}

// B-7, B-12
#[tokio::test]
async fn a_wildcard_with_several_workers_serves_both_families() {
    let server = bind_workers(2, "[::]:0").await.unwrap();
    let port = server.local_addr().port().unwrap();
    let server = Running::start(server).await;

    for ip in ["127.0.0.1", "::1"] {
        let to = SocketAddr::new(ip.parse().unwrap(), port);
        assert_eq!(peer_at(to).await.ask(ip).await, ip);
    }

    server.stop().await;
}
