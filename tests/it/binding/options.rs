//! What sockets are asked for, by setters and through the borrowed socket.

use std::{io::ErrorKind, net::UdpSocket};

use datagrammar::{Client, Server, ServerBuilder, Text};
use socket2::SockRef;

use super::local_addrs;
use crate::support::Net;

fn builder() -> ServerBuilder<Text, impl datagrammar::Handler<String, String>> {
    Server::builder(Text, async |text: String| text)
}

// G-1
#[tokio::test]
async fn each_socket_of_a_server_has_what_was_asked_for() {
    let server = builder()
        .recv_buffer_size(10_000)
        .ttl(7)
        .broadcast(true)
        .bind(["127.0.0.1:0", "127.0.0.1:0"])
        .await
        .unwrap();

    let options: Vec<_> = server
        .sockets()
        .map(|socket| {
            let socket = SockRef::from(&socket);
            assert!(socket.recv_buffer_size().unwrap() >= 10_000);
            (socket.ttl_v4().unwrap(), socket.broadcast().unwrap())
        })
        .collect();

    assert_eq!(options, [(7, true)]);
}

#[tokio::test]
async fn an_option_that_is_out_of_range_is_named_and_nothing_is_bound() {
    let errors = [
        builder().dscp(64).bind("127.0.0.1:0").await.unwrap_err(),
        builder().dscp(64).socket(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap_err(),
        Client::builder(Text).dscp(64).connect("127.0.0.1:9").await.unwrap_err(),
    ];

    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("`dscp`"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_in_memory_lends_no_sockets() {
    let net = Net::memory();
    let server = builder().socket(net.socket()).unwrap();
    let client = net.peer_of(&server.handle()).await;

    assert_eq!(server.sockets().count(), 0);
    assert!(client.0.socket_ref().is_none());
}

// B-7
#[tokio::test]
async fn an_ipv6_wildcard_that_is_for_ipv6_only_leaves_ipv4_to_others() {
    let both = builder().bind("[::]:0").await.unwrap();
    assert!(UdpSocket::bind(("0.0.0.0", local_addrs(&both)[0].port())).is_err());

    let server = builder().ipv6_only(true).bind("[::]:0").await.unwrap();

    let socket = server.sockets().next().unwrap();
    assert!(SockRef::from(&socket).only_v6().unwrap());
}

// B-11
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_is_shared_if_both_sides_ask_for_it() {
    let first = builder().reuse_port(true).bind("127.0.0.1:0").await.unwrap();

    let second = builder().reuse_port(true).bind(local_addrs(&first)).await.unwrap();

    assert_eq!(local_addrs(&first), local_addrs(&second));
}

// B-11
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_is_not_shared_if_one_side_only_asks_for_it() {
    for asks in [false, true] {
        let first = builder().reuse_port(asks).bind("127.0.0.1:0").await.unwrap();

        let second = builder().reuse_port(!asks).bind(local_addrs(&first)).await;

        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_marks_what_it_sends() {
    let client = Client::builder(Text).dscp(46).ttl(7).connect("127.0.0.1:9").await.unwrap();

    let socket = client.socket_ref().unwrap();
    let socket = SockRef::from(&socket);

    assert_eq!((socket.tos_v4().unwrap(), socket.ttl_v4().unwrap()), (46 << 2, 7));
}

// C-8
#[tokio::test]
async fn the_socket_of_a_client_is_closed_once_nobody_has_borrowed_it() {
    let client = Client::connect("127.0.0.1:9", Text).await.unwrap();
    let local = client.local_addr().socket_addr().unwrap();
    let lent = client.socket_ref().unwrap();

    client.close();

    assert!(client.socket_ref().is_none());
    assert_eq!(SockRef::from(&lent).local_addr().unwrap().as_socket(), Some(local));
    assert_eq!(UdpSocket::bind(local).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(lent);
    assert!(UdpSocket::bind(local).is_ok());
}
