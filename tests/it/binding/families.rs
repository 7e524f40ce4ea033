//! IPv4 and IPv6 on one socket or two, and the scope of an address.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use datagrammar::{Addr, Raw, Server, Text};

use super::{bind, local_addrs, peer_at};
use crate::support::{Bytes, Net, Running, client_on, conversing, until};

/// The address at which peers on this host reach the wildcard address `any`.
fn loopback(ip: impl Into<IpAddr>, any: &Addr) -> SocketAddr {
    SocketAddr::new(ip.into(), any.socket_addr().unwrap().port())
}

// B-7
#[tokio::test]
async fn the_ipv6_wildcard_alone_serves_ipv4_too() {
    let server = bind("[::]:0").await.unwrap();
    let any = server.handle().local_addrs().remove(0);
    let server = Running::start(server).await;

    let v4 = peer_at(loopback(Ipv4Addr::LOCALHOST, &any)).await.ask("four").await;
    let v6 = peer_at(loopback(Ipv6Addr::LOCALHOST, &any)).await.ask("six").await;

    assert_eq!((&*v4, &*v6), ("four", "six"));
    server.stop().await;
}

/// Binds both wildcards on one port; `swap` reverses the order.
async fn both_wildcards(swap: bool) -> Server {
    for _ in 0..100 {
        let any = bind("[::]:0").await.unwrap();
        let port = local_addrs(&any)[0].port();
        drop(any);
        let mut both: [SocketAddr; 2] =
            [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()];
        if swap {
            both.reverse();
        }
        match bind(both).await {
            Ok(server) => return server,
            // Another process took the port first.
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse),
        }
    }
    panic!("no port is free for both wildcards");
}

// B-7
#[tokio::test]
async fn both_wildcards_on_one_port_serve_one_family_each() {
    for swap in [false, true] {
        let server = both_wildcards(swap).await;
        let any = server.handle().local_addrs().remove(0);
        let server = Running::start(server).await;

        let v4 = peer_at(loopback(Ipv4Addr::LOCALHOST, &any)).await.ask("four").await;
        let v6 = peer_at(loopback(Ipv6Addr::LOCALHOST, &any)).await.ask("six").await;

        assert_eq!((&*v4, &*v6), ("four", "six"));
        server.stop().await;
    }
}

// B-8
#[tokio::test]
async fn an_ipv4_peer_of_a_dual_stack_socket_is_a_plain_ipv4_peer() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let handler = conversing!(|peer| {
        peer.recv().await?;
        Ok(peer.send(&peer.addr().to_string()).await?)
    });
    let server = Server::builder(Text, handler)
        .source_filter({
            let asked = Arc::clone(&asked);
            move |peer: &Addr| {
                asked.lock().unwrap().push(peer.clone());
                true
            }
        })
        .bind("[::]:0")
        .await
        .unwrap();
    let any = server.handle().local_addrs().remove(0);
    let server = Running::start(server).await;
    let peer = peer_at(loopback(Ipv4Addr::LOCALHOST, &any)).await;

    let seen = peer.ask("who am I?").await;

    assert_eq!(seen, peer.addr().to_string());
    assert!(seen.starts_with("127.0.0.1:"), "{seen}");
    assert_eq!(*asked.lock().unwrap(), [peer.addr().clone()]);
    server.stop().await;
}

// B-9
#[tokio::test(start_paused = true)]
async fn two_addresses_that_differ_only_in_scope_are_two_peers() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net
        .serve_text(conversing!(|peer| {
            let mut heard = 0;
            loop {
                peer.recv().await?;
                heard += 1;
                peer.send(&format!("{heard} of {}", peer.addr())).await?;
            }
        }))
        .await;
    let connect = |local: &str| {
        let addr = server.handle.local_addrs()[0].socket_addr().unwrap();
        Bytes(client_on(network.connect(local, addr).unwrap(), Raw).unwrap())
    };
    let (sixth, seventh) = (connect("[fe80::1%6]:5000"), connect("[fe80::1%7]:5000"));

    let replies = [sixth.ask("").await, seventh.ask("").await, sixth.ask("").await];

    assert_eq!(
        replies,
        ["1 of [fe80::1%6]:5000", "1 of [fe80::1%7]:5000", "2 of [fe80::1%6]:5000"]
    );
    assert_eq!(server.handle.stats().active_conversations, 2);
    server.stop().await;
}

/// A link-local address of this host with its interface, if it has one.
#[cfg(target_os = "linux")]
fn link_local() -> Option<String> {
    const TENTATIVE_OR_FAILED: u32 = 0x40 | 0x08;

    std::fs::read_to_string("/proc/net/if_inet6").ok()?.lines().find_map(|line| {
        let [ip, index, _, scope, flags, _] = line.split_whitespace().collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let usable = u32::from_str_radix(flags, 16).ok()? & TENTATIVE_OR_FAILED == 0;
        let ip = Ipv6Addr::from(u128::from_str_radix(ip, 16).ok()?);
        let index = u32::from_str_radix(index, 16).ok()?;
        (scope == "20" && usable).then(|| format!("[{ip}%{index}]:0"))
    })
}

// B-9, if the host has such an address
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_link_local_address_is_bound_on_its_interface() {
    let Some(addr) = link_local() else { return };
    let server = bind(addr.as_str()).await.unwrap();
    let bound = local_addrs(&server)[0];
    let server = Running::start(server).await;

    let reply = peer_at(bound).await.ask("hello").await;

    assert_eq!(reply, "hello");
    assert_eq!(bound.to_string().rsplit_once(':').unwrap().0, addr.rsplit_once(':').unwrap().0);
    until(|| server.handle.stats().sent == 1).await;
    server.stop().await;
}
