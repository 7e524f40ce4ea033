//! IPv4 and IPv6 at both ends of a client: an IPv4-mapped address is the IPv4 address.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use datagrammar::{Addr, Client, Text, Udp, testing::Network};

use crate::{
    clients::peer,
    support::{client_on, within_deadline},
};

fn mapped(addr: SocketAddr) -> String {
    format!("[::ffff:{}]:{}", addr.ip(), addr.port())
}

/// Asserts that a client and its IPv4 peer receive each other's datagrams.
async fn both_hear(client: &Client<Text>, peer: &UdpSocket) {
    assert_eq!(client.peer_addr(), peer.local_addr().unwrap());
    client.send(&"hello".to_owned()).await.unwrap();
    let (len, from) = peer.recv_from(&mut [0; 8]).unwrap();
    assert_eq!((len, client.local_addr()), (5, Addr::from(from)));
    peer.send_to(b"hello to you", from).unwrap();
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello to you");
}

// B-8, C-14
#[tokio::test]
async fn a_mapped_address_is_the_ipv4_address_at_both_ends() {
    for local in
        ["127.0.0.1:0", "[::ffff:127.0.0.1]:0", "0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"]
    {
        let (peer, addr) = peer();
        for to in [addr.to_string(), mapped(addr)] {
            let client = Client::connect(Udp::new(&to).local_addr(local), Text).await;

            both_hear(&client.unwrap(), &peer).await;
        }
    }
}

// B-8
#[tokio::test]
async fn without_a_local_address_a_mapped_peer_is_an_ipv4_peer() {
    let (peer, addr) = peer();

    let client = Client::connect(mapped(addr), Text).await.unwrap();

    both_hear(&client, &peer).await;
}

// C-14
#[tokio::test]
async fn a_local_port_of_the_ipv6_wildcard_is_kept_towards_an_ipv4_peer() {
    let (peer, addr) = peer();
    let free = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();

    let client = Client::builder(Text);
    let client =
        client.connect(Udp::new(addr).local_addr((Ipv6Addr::UNSPECIFIED, free))).await.unwrap();

    assert_eq!(client.local_addr(), Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, free))));
    both_hear(&client, &peer).await;
}

// C-14
#[tokio::test]
async fn the_local_address_of_the_family_of_the_peer_is_used() {
    let (peer, addr) = peer();

    let client = Client::builder(Text);

    both_hear(
        &client.connect(Udp::new(addr).local_addr(["[::1]:0", "127.0.0.1:0"])).await.unwrap(),
        &peer,
    )
    .await;
}

// C-14
#[tokio::test]
async fn addresses_of_another_family_than_the_local_one_are_named() {
    let local: [(&str, &str); 3] = [
        ("[::1]:0", "127.0.0.1:9"),
        ("127.0.0.1:0", "[::1]:9"),
        ("[::ffff:127.0.0.1]:0", "[::1]:9"),
    ];
    for (local, peer) in local {
        let error = Client::connect(Udp::new(peer).local_addr(local), Text).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(peer), "{error}");
    }
}

// B-8, C-16
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_users_socket_of_ipv6_may_have_a_mapped_peer() {
    let (peer, addr) = peer();
    let socket = UdpSocket::bind("[::]:0").unwrap();
    socket.connect(mapped(addr)).unwrap();

    let client = client_on(socket, Text).unwrap();

    both_hear(&client, &peer).await;
}

// B-8
#[tokio::test(start_paused = true)]
async fn a_network_in_memory_treats_a_mapped_address_as_the_ipv4_address() {
    let network = Network::new(1, Default::default());
    let peer = network.connect("[::ffff:10.0.0.1]:9000", "10.0.0.2:9000").unwrap();
    let client = network.connect("10.0.0.2:9000", "[::ffff:10.0.0.1]:9000").unwrap();
    let (peer, client) = (client_on(peer, Text), client_on(client, Text));
    let (peer, client) = (peer.unwrap(), client.unwrap());

    client.send(&"hello".to_owned()).await.unwrap();

    assert_eq!(within_deadline(peer.recv()).await.unwrap(), "hello");
    assert_eq!(peer.local_addr(), client.peer_addr());
    assert_eq!(network.bind("[::ffff:0.0.0.0]:1").unwrap_err().kind(), ErrorKind::InvalidInput);
}
