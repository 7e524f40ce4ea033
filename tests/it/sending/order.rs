//! The source address and the order of replies.

use std::net::SocketAddr;

use datagrammar::{Addr, Server, Text};
use tokio::{net::UdpSocket, task::yield_now};

use crate::support::{Running, conversing, everywhere, within_deadline};

everywhere! {
    // S-4
    async fn packets_to_one_peer_leave_in_the_order_they_were_sent(net) {
        let server = net.serve_text(conversing!(|peer| {
            let rounds = peer.recv().await?.parse::<usize>()?;
            for round in 0..rounds {
                // First inline, then as a task, then with a sender on another thread, if there is one.
                for n in 0..5 {
                    peer.send(&(10 * round + n).to_string()).await?;
                }
                let sender = peer.sender();
                let others = tokio::spawn(async move {
                    for n in 5..10 {
                        sender.send(&(10 * round + n).to_string()).await.unwrap();
                        yield_now().await;
                    }
                });
                others.await?;
            }
            Ok(())
        })).await;
        let mut peers = Vec::new();
        for _ in 0..8 {
            let peer = net.peer_of(&server.handle).await;
            peer.send("10").await;
            peers.push(peer);
        }

        for peer in &peers {
            for n in 0..100 {
                assert_eq!(peer.recv_text().await, n.to_string());
            }
        }
        server.stop().await;
    }

    // S-4
    async fn the_replies_of_conversations_that_follow_each_other_leave_in_order(net) {
        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            // Every third conversation has to wait.
            if request.parse::<u32>()? % 3 == 0 {
                yield_now().await;
            }
            Ok(peer.send(&request).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for first in (0..500).step_by(50) {
            for n in first..first + 50 {
                peer.send(n.to_string()).await;
            }
            for n in first..first + 50 {
                assert_eq!(peer.recv_text().await, n.to_string());
            }
        }
        server.stop().await;
    }
}

// S-1, D-10
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reply_leaves_from_the_address_that_was_asked() {
    let handler = conversing!(|peer| {
        peer.recv().await?;
        Ok(peer.send(&peer.local_addr().to_string()).await?)
    });
    let server = Server::builder(Text, handler);
    let server = server.bind(["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]).await.unwrap();
    let server = Running::start(server).await;
    let peers =
        [UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("[::1]:0").await.unwrap()];

    let asked: Vec<SocketAddr> =
        server.handle.local_addrs().iter().filter_map(Addr::socket_addr).collect();
    for _ in 0..3 {
        for addr in &asked {
            let peer = &peers[usize::from(addr.is_ipv6())];
            peer.send_to(b"where are you?", addr).await.unwrap();
            let mut reply = [0; 64];
            let (len, from) = within_deadline(peer.recv_from(&mut reply)).await.unwrap();
            assert_eq!(from, *addr);
            assert_eq!(reply[..len], *addr.to_string().as_bytes());
        }
    }
    server.stop().await;
}
