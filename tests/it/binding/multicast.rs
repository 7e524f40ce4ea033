//! Multicast groups: a server receives their datagrams from joining until leaving.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use datagrammar::{Interface, Server, ServerBuilder, Text, Udp};

use super::{bind, local_addrs};
use crate::support::{BindNow, Net, Running};

const LOOPBACK: Interface = Interface::Addr(Ipv4Addr::LOCALHOST);

fn builder() -> ServerBuilder<Text> {
    Server::builder(Text, async |text: String| text)
}

/// A peer that sends to groups over the loopback interface.
struct Caller(UdpSocket);

impl Caller {
    fn new() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(socket.into())
    }

    fn call(&self, to: Ipv4Addr, server: SocketAddr, text: &str) {
        self.0.send_to(text.as_bytes(), (to, server.port())).unwrap();
    }

    /// The next answer and its source; other tasks run meanwhile.
    async fn answer(&self) -> (String, SocketAddr) {
        let socket = self.0.try_clone().unwrap();
        let answer = tokio::task::spawn_blocking(move || {
            let mut bytes = [0; 64];
            let (len, from) = socket.recv_from(&mut bytes).unwrap();
            (String::from_utf8(bytes[..len].to_vec()).unwrap(), from)
        });
        answer.await.unwrap()
    }
}

// S-3
#[tokio::test]
async fn a_datagram_to_a_group_is_answered_from_an_address_of_the_host() {
    let group = Ipv4Addr::new(239, 255, 77, 11);
    for any in ["0.0.0.0:0", "[::]:0"] {
        let server = builder().bind(Udp::new(any).multicast(group, LOOPBACK)).await.unwrap();
        let addr = local_addrs(&server)[0];
        let (server, caller) = (Running::start(server).await, Caller::new());

        caller.call(group, addr, "who is there?");

        let (answer, from) = caller.answer().await;
        assert_eq!(answer, "who is there?");
        assert_eq!(from, SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port())));
        server.stop().await;
    }
}

#[tokio::test]
async fn datagrams_to_a_group_are_received_until_it_is_left() {
    let group = Ipv4Addr::new(239, 255, 77, 12);
    let caller = Caller::new();
    let server = bind("0.0.0.0:0").await.unwrap();
    let addr = local_addrs(&server)[0];
    // Another socket keeps the group joined on this host.
    let other = UdpSocket::bind("0.0.0.0:0").unwrap();
    other.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();

    caller.call(group, addr, "before");
    server.join_multicast(group, Interface::Index(1)).unwrap();
    caller.call(group, addr, "joined");
    server.leave_multicast(group, Interface::Index(1)).unwrap();
    caller.call(group, addr, "left");
    caller.call(Ipv4Addr::LOCALHOST, addr, "directly");

    let server = Running::start(server).await;
    assert_eq!(caller.answer().await.0, "joined");
    assert_eq!(caller.answer().await.0, "directly");
    assert_eq!(server.handle.stats().received, 2);
    server.stop().await;
}

#[tokio::test]
async fn a_group_of_ipv6_is_joined_by_the_index_of_an_interface() {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0x4d, 13);
    let server = builder().bind(Udp::new("[::]:0").multicast(group, 1.into())).await.unwrap();

    let again = server.join_multicast(group, 1.into()).unwrap_err();
    server.leave_multicast(group, 1.into()).unwrap();
    let gone = server.leave_multicast(group, 1.into()).unwrap_err();

    assert_eq!((again.kind(), gone.kind()), (ErrorKind::AddrInUse, ErrorKind::AddrNotAvailable));
}

// B-8
#[tokio::test]
async fn a_mapped_group_is_the_group_of_ipv4() {
    let group = Ipv4Addr::new(239, 255, 77, 21);
    let mapped = group.to_ipv6_mapped();
    for any in ["0.0.0.0:0", "[::]:0"] {
        let server = builder().bind(Udp::new(any).multicast(mapped, LOOPBACK)).await.unwrap();

        let again = server.join_multicast(group, LOOPBACK).unwrap_err();
        server.leave_multicast(mapped, LOOPBACK).unwrap();

        assert_eq!(again.kind(), ErrorKind::AddrInUse);
        server.join_multicast(mapped, LOOPBACK).unwrap();
        server.leave_multicast(group, LOOPBACK).unwrap();
    }
}

#[tokio::test]
async fn a_group_is_joined_by_the_name_of_an_interface() {
    let group = Ipv4Addr::new(239, 255, 77, 22);
    let server = builder()
        .bind(Udp::new("0.0.0.0:0").multicast(group, "lo".parse().unwrap()))
        .await
        .unwrap();
    let addr = local_addrs(&server)[0];
    let (server, caller) = (Running::start(server).await, Caller::new());

    caller.call(group, addr, "who is there?");

    assert_eq!(caller.answer().await.0, "who is there?");
    server.stop().await;
}

#[tokio::test]
async fn a_group_is_joined_on_all_addresses_that_can_receive_it_or_on_none() {
    let group = Ipv4Addr::new(239, 255, 77, 14);
    let server = bind(["0.0.0.0:0", "239.255.77.14:0", "127.0.0.1:0"]).await.unwrap();
    let last = server.sockets().nth(1).unwrap();
    let last = socket2::SockRef::from(&last);
    last.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();

    let error = server.join_multicast(group, LOOPBACK).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    last.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
    server.join_multicast(group, LOOPBACK).unwrap();
    server.leave_multicast(group, LOOPBACK).unwrap();
}

#[tokio::test]
async fn a_group_that_no_address_can_receive_is_an_error_and_nothing_stays_bound() {
    let group = Ipv4Addr::new(239, 255, 77, 15);
    let addr = super::free_addr("127.0.0.1");

    let error = builder().bind(Udp::new(addr).multicast(group, LOOPBACK)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(super::is_free(addr));
}

#[tokio::test(start_paused = true)]
async fn a_network_in_memory_has_no_groups() {
    let server = builder().bind_now(Net::memory().socket()).unwrap();

    let error = server.join_multicast(Ipv4Addr::new(239, 255, 77, 16), LOOPBACK).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
