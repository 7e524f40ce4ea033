//! Users can enable control messages on lent sockets. Such messages do not affect the borders, the addresses
//! or the traffic class of datagrams.
#![cfg(all(target_os = "linux", not(datagrammar_portable)))]

use std::{net::SocketAddr, os::fd::AsFd};

use datagrammar::{Client, Ecn, Server, Text, Udp};
use tokio::task::yield_now;

use crate::{
    socket_option::{Switch, set},
    support::{Running, conversing, within_deadline},
};

/// Software receive timestamps.
const TIMESTAMPING: Switch = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING, 0x18);
const TIMESTAMPNS: Switch = (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1);
/// `SO_RCVMARK`, which only a superuser may set.
const MARK: Switch = (libc::SOL_SOCKET, 75, 1);

/// All control messages that the kernel adds to a plain datagram.
const ALL: [Switch; 20] = [
    // Hardware and software timestamps, for receiving and sending, and the interface.
    (libc::SOL_SOCKET, libc::SO_TIMESTAMPING, 0x3f | 1 << 13),
    TIMESTAMPNS,
    MARK,
    (libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1),
    (libc::SOL_SOCKET, libc::SO_WIFI_STATUS, 1),
    (libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
    (libc::IPPROTO_IP, libc::IP_RECVTTL, 1),
    (libc::IPPROTO_IP, libc::IP_RECVTOS, 1),
    (libc::IPPROTO_IP, libc::IP_RECVOPTS, 1),
    (libc::IPPROTO_IP, libc::IP_RETOPTS, 1),
    (libc::IPPROTO_IP, libc::IP_RECVORIGDSTADDR, 1),
    (libc::IPPROTO_IP, 23 /* IP_CHECKSUM */, 1),
    (libc::IPPROTO_IP, 25 /* IP_RECVFRAGSIZE */, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_FLOWINFO, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVORIGDSTADDR, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_2292HOPLIMIT, 1),
    (libc::IPPROTO_IPV6, libc::IPV6_2292PKTINFO, 1),
];

/// One option, two, three, and all of them.
const SETS: [&[Switch]; 4] =
    [&[TIMESTAMPING], &[TIMESTAMPING, TIMESTAMPNS], &[TIMESTAMPING, TIMESTAMPNS, MARK], &ALL];

/// Addresses to which a server is bound, each with the addresses to which a client sends.
const BOUND: [(&str, &[&str]); 5] = [
    ("127.0.0.1", &["127.0.0.1"]),
    ("::1", &["::1"]),
    ("0.0.0.0", &["127.0.0.1", "127.0.0.2"]),
    ("::", &["127.0.0.2", "::1"]),
    ("::ffff:127.0.0.2", &["127.0.0.2"]),
];

const TRAIN: usize = 16;

/// Enables those of `switches` that work here: some are for one family only, or for a superuser.
fn switch_on(socket: &impl AsFd, switches: &[Switch]) {
    let known = switches.iter().filter(|switch| set(socket, **switch).is_ok()).count();
    assert!(known > 0 || switches.is_empty());
}

/// A server that answers each request with the address that it came to and its traffic class.
async fn serve(ip: &str, switches: &[Switch]) -> (Running, u16) {
    let handler = conversing!(|peer| {
        loop {
            let request = peer.recv().await?;
            let class = peer.traffic_class().map_or_else(String::new, |class| class.to_string());
            peer.send(&format!("{request} at {} {class}", peer.local_addr())).await?;
            if request.len() % 2 == 0 {
                yield_now().await;
            }
        }
    });
    let builder = Server::builder(Text, handler);
    let server = builder.bind(Udp::new((ip, 0)).recv_traffic_class(true)).await.unwrap();
    server.sockets().for_each(|socket| switch_on(&socket, switches));
    let port = server.local_addr().port().unwrap();
    (Running::start(server).await, port)
}

/// A client that is connected to `server`, and marks the datagrams that it sends.
async fn client_of(server: SocketAddr) -> Client<Text> {
    let builder = Client::builder(Text);
    builder.connect(Udp::new(server).dscp(46).ecn(Ecn::Ect1)).await.unwrap()
}

fn same_sized() -> Vec<String> {
    (0..TRAIN).map(|n| format!("{n:048}")).collect()
}

async fn recv(client: &Client<Text>) -> String {
    within_deadline(client.recv()).await.unwrap()
}

// S-2, D-17
#[tokio::test]
async fn a_server_knows_borders_addresses_and_traffic_classes_with_other_control_messages() {
    for (bound, asked) in BOUND {
        for switches in SETS {
            let (server, port) = serve(bound, switches).await;
            for ip in asked {
                let server = SocketAddr::new(ip.parse().unwrap(), port);
                let client = client_of(server).await;

                client.send_all(same_sized()).await.unwrap();
                client.send(&"alone".to_owned()).await.unwrap();

                for request in same_sized().into_iter().chain(["alone".to_owned()]) {
                    let expected = format!("{request} at {server} DSCP 46, ECT(1)");
                    assert_eq!(recv(&client).await, expected, "{bound} {switches:?}");
                }
            }
            server.stop().await;
        }
    }
}

// D-17
#[tokio::test]
async fn a_client_knows_the_borders_with_other_control_messages() {
    let (server, port) = serve("::", &[]).await;
    for ip in ["127.0.0.1", "::1"] {
        for switches in SETS {
            let server = SocketAddr::new(ip.parse().unwrap(), port);
            let client = client_of(server).await;
            switch_on(&client.socket_ref().unwrap(), switches);

            client.send_all(same_sized()).await.unwrap();

            for request in same_sized() {
                let expected = format!("{request} at {server} DSCP 46, ECT(1)");
                assert_eq!(recv(&client).await, expected, "{switches:?}");
            }
        }
    }
    server.stop().await;
}
