//! Socket options, set by setters and through the borrowed socket.

use std::{io::ErrorKind, net::UdpSocket};

use datagrammar::{BindError, Client, ConnectError, Server, ServerBuilder, Text, Udp};
use socket2::SockRef;

use super::local_addrs;
use crate::support::{BindNow, Net};

fn builder() -> ServerBuilder<Text> {
    Server::builder(Text, async |text: String| text)
}

// G-1
#[tokio::test]
async fn each_socket_of_a_server_has_the_requested_options() {
    let server = builder()
        .bind(
            Udp::new(["127.0.0.1:0", "127.0.0.1:0"])
                .recv_buffer_size(10_000)
                .ttl(7)
                .broadcast(true),
        )
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
        builder().bind(Udp::new("127.0.0.1:0").dscp(64)).await.unwrap_err(),
        builder()
            .bind(Udp::from(UdpSocket::bind("127.0.0.1:0").unwrap()).dscp(64))
            .await
            .unwrap_err(),
    ];
    let of_client = Client::connect(Udp::new("127.0.0.1:9").dscp(64), Text).await.unwrap_err();

    let text = "the option `dscp` is 64, the range is 0 to 63";
    for error in errors {
        assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::InvalidInput, text));
        assert!(matches!(error, BindError::Option(_)));
    }
    assert_eq!((of_client.kind(), &*of_client.to_string()), (ErrorKind::InvalidInput, text));
    assert!(matches!(of_client, ConnectError::Option(_)));
}

#[tokio::test(start_paused = true)]
async fn a_network_in_memory_lends_no_sockets() {
    let net = Net::memory();
    let server = builder().bind_now(net.socket()).unwrap();
    let client = net.peer_of(&server.handle()).await;

    assert_eq!(server.sockets().count(), 0);
    assert!(client.0.socket_ref().is_none());
}

// B-7
#[tokio::test]
async fn an_ipv6_only_wildcard_leaves_the_ipv4_port_free() {
    let both = builder().bind("[::]:0").await.unwrap();
    assert!(UdpSocket::bind(("0.0.0.0", local_addrs(&both)[0].port())).is_err());

    let server = builder().bind(Udp::new("[::]:0").ipv6_only(true)).await.unwrap();

    let socket = server.sockets().next().unwrap();
    assert!(SockRef::from(&socket).only_v6().unwrap());
}

// B-11
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_is_shared_if_both_sides_ask_for_it() {
    let first = builder().bind(Udp::new("127.0.0.1:0").reuse_port(true)).await.unwrap();

    let second = builder().bind(Udp::new(local_addrs(&first)).reuse_port(true)).await.unwrap();

    assert_eq!(local_addrs(&first), local_addrs(&second));
}

// B-11
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_is_not_shared_if_one_side_only_asks_for_it() {
    for asks in [false, true] {
        let first = builder().bind(Udp::new("127.0.0.1:0").reuse_port(asks)).await.unwrap();

        let second = builder().bind(Udp::new(local_addrs(&first)).reuse_port(!asks)).await;

        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_client_sets_the_traffic_class_of_its_datagrams() {
    let client =
        Client::builder(Text).connect(Udp::new("127.0.0.1:9").dscp(46).ttl(7)).await.unwrap();

    let socket = client.socket_ref().unwrap();
    let socket = SockRef::from(&socket);

    assert_eq!((socket.tos_v4().unwrap(), socket.ttl_v4().unwrap()), (46 << 2, 7));
}

// C-8
#[tokio::test]
async fn the_socket_of_a_client_is_closed_when_the_last_borrow_ends() {
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
