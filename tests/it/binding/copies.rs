//! Multicast and broadcast datagrams with several workers: the kernel delivers a copy to each worker.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
};

use datagrammar::{Interface, Server, Text, ToAddrs, Udp};
use tokio::net::UdpSocket;

use super::workers::waiting;
use crate::support::{Running, conversing, until, within_deadline};

const BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
const LOOPBACK: Interface = Interface::Addr(Ipv4Addr::LOCALHOST);

/// A server that joins `group`, if it is a multicast group. It answers each packet with its number in
/// the conversation, which does not end.
async fn counting(workers: usize, group: Ipv4Addr, addr: impl ToAddrs) -> Server {
    let handler = conversing!(|peer| {
        let mut count = 0;
        loop {
            let request = peer.recv().await?;
            count += 1;
            peer.send(&format!("{request} is number {count}")).await?;
        }
    });
    let udp = Udp::new(addr).workers(workers);
    let udp = if group.is_multicast() { udp.multicast(group, LOOPBACK) } else { udp };
    Server::bind(udp, Text, handler).await.unwrap()
}

/// A peer with its own port that may send multicast and broadcast over the loopback interface.
fn caller() -> UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    UdpSocket::from_std(socket.into()).unwrap()
}

/// Makes 50 peers send a datagram to each of the addresses `to`, one after the other. Each datagram must
/// be served once, and all datagrams of a peer in one conversation.
async fn each_is_served_once(server: Running, to: &[Ipv4Addr]) {
    let port = server.handle.local_addrs()[0].socket_addr().unwrap().port();
    let callers: Vec<_> = (0..50).map(|_| caller()).collect();

    for caller in &callers {
        for ip in to {
            caller.send_to(ip.to_string().as_bytes(), (*ip, port)).await.unwrap();
        }
    }

    for caller in &callers {
        for (n, ip) in to.iter().enumerate() {
            let mut answer = [0; 64];
            let len = within_deadline(caller.recv(&mut answer)).await.unwrap();
            let answer = std::str::from_utf8(&answer[..len]).unwrap();
            assert_eq!(answer, format!("{ip} is number {}", n + 1));
        }
    }
    // The other workers receive the remaining copies.
    until(|| waiting(port).iter().all(|bytes| *bytes == 0)).await;
    assert_eq!(server.handle.stats().active_conversations, callers.len());
    let handle = server.handle.clone();
    server.stop().await;
    let (stats, sent) = (handle.stats(), (callers.len() * to.len()) as u64);
    assert_eq!((stats.received, stats.delivered, stats.sent), (sent, sent, sent));
    for caller in &callers {
        assert!(caller.try_recv(&mut []).is_err(), "there is no second answer");
    }
}

// B-12, D-8, S-3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn multicast_and_broadcast_datagrams_are_served_only_by_the_worker_of_their_peer() {
    let group = Ipv4Addr::new(239, 255, 77, 17);
    let (one, two) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    for any in ["0.0.0.0", "::"] {
        for workers in [2, 4] {
            let server = counting(workers, group, (any, 0)).await;
            let server = Running::start(server).await;

            let to = [BROADCAST, one, group, group, two, BROADCAST, one];
            each_is_served_once(server, &to).await;
        }
    }
}

// B-12, D-8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_multicast_or_broadcast_address_each_worker_serves_its_own_peers() {
    for many in [Ipv4Addr::new(239, 255, 77, 18), BROADCAST] {
        let server = counting(3, many, (many, 0)).await;

        each_is_served_once(Running::start(server).await, &[many; 4]).await;
    }
}

// B-12, D-8
#[tokio::test]
async fn all_workers_receive_a_group_that_is_joined_later_until_it_is_left() {
    let group = Ipv4Addr::new(239, 255, 77, 19);
    let server = counting(4, Ipv4Addr::UNSPECIFIED, "0.0.0.0:0").await;
    let port = server.local_addr().port().unwrap();
    let callers: Vec<_> = (0..50).map(|_| caller()).collect();

    server.join_multicast(group, LOOPBACK).unwrap();
    for caller in &callers {
        caller.send_to(b"joined", (group, port)).await.unwrap();
    }
    server.leave_multicast(group, LOOPBACK).unwrap();
    for caller in &callers {
        caller.send_to(b"left", (group, port)).await.unwrap();
    }
    let server = Running::start(server).await;

    until(|| waiting(port).iter().all(|bytes| *bytes == 0)).await;
    let handle = server.handle.clone();
    server.stop().await;
    assert_eq!((handle.stats().received, handle.stats().delivered), (50, 50));
}

// B-12, D-8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_takeover_from_another_server_one_worker_serves_each_peer() {
    for any in ["0.0.0.0", "::"] {
        let first = counting(4, Ipv4Addr::UNSPECIFIED, (any, 0)).await;
        let port = first.local_addr().port().unwrap();
        let second = counting(4, Ipv4Addr::UNSPECIFIED, (any, port)).await;

        Running::start(first).await.stop().await;

        let to = [BROADCAST, Ipv4Addr::LOCALHOST, BROADCAST];
        each_is_served_once(Running::start(second).await, &to).await;
    }
}

// B-11, B-12
#[tokio::test]
async fn several_workers_are_refused_without_batch_io() {
    let builder = Server::builder(Text, async |text: String| text);

    let error = builder.bind(Udp::new("127.0.0.1:0").workers(2).batch_io(false)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("`batch_io`"), "{error}");
}
