//! Sockets that merge datagrams (GRO), with portable calls that do not report where each datagram ends.
#![cfg(all(target_os = "linux", not(datagrammar_portable)))]

use std::{io::ErrorKind, net::UdpSocket};

use datagrammar::{Client, ClientRecvError, DropReason, Server, Text, Udp};

use crate::{
    socket_option::{Switch, set},
    support::{BindNow, Running, conversing, until, within_deadline},
};

const MERGED: Switch = (libc::SOL_UDP, libc::UDP_GRO, 1);
const SINGLE: Switch = (libc::SOL_UDP, libc::UDP_GRO, 0);

fn same_sized() -> Vec<String> {
    (0..16).map(|n| format!("{n:048}")).collect()
}

// B-13, D-17
#[tokio::test]
async fn a_users_socket_with_gro_is_served_unless_the_borders_of_datagrams_are_unknown() {
    for ip in ["127.0.0.1", "::1"] {
        let socket = || {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            set(&socket, MERGED).unwrap();
            socket
        };
        let builder = || Server::builder(Text, async |text: String| text);

        let refused = builder().bind_now(Udp::from(socket()).batch_io(false)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("UDP_GRO"), "{refused}");

        let server = builder().bind_now(socket()).unwrap();
        let client = Client::connect(server.local_addr(), Text).await.unwrap();
        let server = Running::start(server).await;
        client.send_all(same_sized()).await.unwrap();
        for request in same_sized() {
            assert_eq!(within_deadline(client.recv()).await.unwrap(), request);
        }
        server.stop().await;
    }
}

// D-17, R-5, G-9
#[tokio::test]
async fn a_portable_server_drops_and_counts_merged_datagrams() {
    for ip in ["127.0.0.1", "::1", "::"] {
        let builder = Server::builder(Text, async |text: String| text);
        let server = builder.bind(Udp::new((ip, 0)).batch_io(false)).await.unwrap();
        server.sockets().for_each(|socket| set(&socket, MERGED).unwrap());
        let asked = if ip == "::1" { "::1" } else { "127.0.0.1" };
        let client =
            Client::connect((asked, server.local_addr().port().unwrap()), Text).await.unwrap();
        client.send_all(same_sized()).await.unwrap();
        let serve = async {
            until(|| server.handle().stats().received > 0).await;
            server.sockets().for_each(|socket| set(&socket, SINGLE).unwrap());
            client.send_all(same_sized()).await.unwrap();
            for request in same_sized() {
                assert_eq!(within_deadline(client.recv()).await.unwrap(), request);
            }
        };

        server.serve_until(serve).await.unwrap();

        let stats = server.handle().stats();
        assert_eq!(stats.delivered, 16);
        assert_eq!(stats.dropped(DropReason::Truncated), stats.received - 16);
    }
}

// D-17, R-5
#[tokio::test]
async fn a_portable_client_returns_an_error_for_merged_datagrams() {
    let handler = conversing!(|peer| {
        peer.recv().await?;
        for answer in same_sized() {
            peer.send(&answer).await?;
        }
        Ok(())
    });
    let server = Server::builder(Text, handler).bind("127.0.0.1:0").await.unwrap();
    let builder = Client::builder(Text);
    let client = builder.connect(Udp::new(server.local_addr()).batch_io(false)).await.unwrap();
    let server = Running::start(server).await;
    let socket = client.socket_ref().unwrap();

    set(&socket, MERGED).unwrap();
    client.send(&"merged".to_owned()).await.unwrap();
    assert!(matches!(
        within_deadline(client.recv()).await,
        Err(ClientRecvError::TooLarge { max: 65_535, .. })
    ));
    set(&socket, SINGLE).unwrap();
    client.send(&"single".to_owned()).await.unwrap();

    for answer in same_sized() {
        assert_eq!(within_deadline(client.recv()).await.unwrap(), answer);
    }
    server.stop().await;
}
