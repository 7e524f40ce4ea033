//! How long a datagram may be.

use datagrammar::{Client, Raw, SendError, Server, Text};

use super::{WAYS, send};
use crate::support::{Bytes, Running, conversing, everywhere, longest_to as max};

const MAX_IPV4: usize = 65_507;

everywhere! {
    // S-6, S-7
    async fn a_packet_that_is_too_long_is_refused_by_its_own_send(net) {
        let server = net.serve_text(conversing!(|peer| {
            loop {
                let way = peer.recv().await?;
                let packet = "x".repeat(max(peer.addr()) + 1);
                let Err(SendError::TooLarge { len, max, .. }) = send(&way, peer, &packet).await? else {
                    panic!("a packet that is too long was sent");
                };
                send(&way, peer, &format!("{len} {max}")).await??;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;
        let max = max(&peer.addr());

        for way in WAYS {
            assert_eq!(peer.ask(way).await, format!("{} {max}", max + 1));
        }

        assert!(peer.hears_nothing().await);
        server.stop().await;
    }

    // S-6
    async fn a_reply_that_is_too_long_does_not_affect_the_others_of_its_batch(net) {
        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            peer.send(&format!("{request} before")).await?;
            let long = peer.send("x".repeat(10_000_000)).await;
            assert!(matches!(long, Err(SendError::TooLarge { len: 10_000_000, .. })));
            Ok(peer.send(&format!("{request} after")).await?)
        })).await;
        let mut peers = Vec::new();
        for n in 0..5 {
            let peer = net.peer_of(&server.handle).await;
            peer.send(n.to_string()).await;
            peers.push(peer);
        }

        for (n, peer) in peers.iter().enumerate() {
            assert_eq!(peer.recv_text().await, format!("{n} before"));
            assert_eq!(peer.recv_text().await, format!("{n} after"));
        }
        server.stop().await;
    }

    // S-7, C-6
    async fn a_packet_of_exactly_the_longest_length_is_sent(net) {
        let server = net.serve_text(conversing!(|peer| {
            loop {
                let way = peer.recv().await?;
                send(&way, peer, &"x".repeat(max(peer.addr()))).await??;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for way in WAYS {
            peer.send(way).await;
            assert_eq!(peer.recv().await.len(), max(&peer.addr()));
        }
        server.stop().await;
    }
}

// S-7
#[tokio::test]
async fn an_ipv4_peer_of_a_dual_stack_socket_gets_datagrams_up_to_the_ipv4_limit() {
    let server = Server::builder(
        Text,
        conversing!(|peer| {
            peer.recv().await?;
            let longer = peer.send(&"x".repeat(MAX_IPV4 + 1)).await;
            assert!(matches!(longer, Err(SendError::TooLarge { max: MAX_IPV4, .. })));
            Ok(peer.send(&"x".repeat(MAX_IPV4)).await?)
        }),
    );
    let server = Running::start(server.bind("[::]:0").await.unwrap()).await;
    let port = server.handle.local_addrs()[0].socket_addr().unwrap().port();
    let peer = Bytes(Client::connect(("127.0.0.1", port), Raw).await.unwrap());

    peer.send("x".repeat(MAX_IPV4)).await;

    assert_eq!(peer.recv().await.len(), MAX_IPV4);
    assert_eq!(server.handle.stats().failed + server.handle.stats().panicked, 0);
    server.stop().await;
}
