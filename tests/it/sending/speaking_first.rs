//! Senders to peers that have not sent anything: `ServerHandle::sender`.

use std::net::SocketAddr;

use datagrammar::{PeerSender, SendError, SenderError, Server, Text, Udp, reply_if};
use tokio::net::UdpSocket;

use crate::support::{Net, Running, conversing, everywhere, until, within_deadline};

/// A text server that answers only "ping".
async fn serve(net: &Net) -> Running {
    let pong = reply_if(async |text: String| (text == "ping").then(|| "pong".to_owned()));
    net.serve_text(pong).await
}

fn sender(server: &Running, peer: impl Into<datagrammar::Addr>) -> PeerSender<String> {
    server.handle.sender(peer).unwrap()
}

everywhere! {
    // S-18
    async fn a_peer_that_has_not_sent_anything_receives_from_the_address_of_the_server(net) {
        let server = serve(&net).await;
        let peer = net.peer_of(&server.handle).await;

        sender(&server, peer.addr()).send("who is there?".to_owned()).await.unwrap();

        // The peer receives only from the address of the server.
        assert_eq!(peer.recv_text().await, "who is there?");
        assert_eq!(peer.ask("ping").await, "pong");
        assert_eq!(server.handle.stats().received, 1);
        server.stop().await;
    }

    // S-18, S-13
    async fn a_sender_equals_the_sender_of_a_conversation_with_the_same_peer(net) {
        let senders = std::sync::Mutex::new(Vec::new());
        let senders = std::sync::Arc::new(senders);
        let server = net.serve_text(conversing!([senders] |peer| {
            let request = peer.recv().await?;
            senders.lock().unwrap().push(peer.sender());
            Ok(peer.send(request).await?)
        })).await;
        for _ in 0..8 {
            let peer = net.peer_of(&server.handle).await;
            peer.ask("hello").await;

            let of_conversation = senders.lock().unwrap().pop().unwrap();

            assert_eq!(sender(&server, peer.addr()), of_conversation);
        }
        server.stop().await;
    }

    // S-18
    async fn one_socket_sends_to_many_peers_and_each_answer_opens_a_conversation(net) {
        let server = serve(&net).await;
        let mut peers = Vec::new();
        for _ in 0..3 {
            peers.push(net.peer_of(&server.handle).await);
        }

        for (n, peer) in peers.iter().enumerate() {
            sender(&server, peer.addr()).send(&format!("{n}")).await.unwrap();
        }

        for (n, peer) in peers.iter().enumerate() {
            assert_eq!(peer.recv_text().await, n.to_string());
            peer.send("here").await;
        }
        until(|| server.handle.stats().conversations == 3).await;
        server.stop().await;
    }
}

// S-18, S-13
#[tokio::test(start_paused = true)]
async fn a_sender_works_while_its_server_serves_and_keeps_nothing_alive() {
    let net = Net::memory();
    let server = net.bind(Server::builder(Text, async |text: String| text));
    let handle = server.handle();
    let peer = net.peer_of(&handle).await;
    let sender: PeerSender<String> = handle.sender(peer.addr()).unwrap();
    let is_closed = |sent| matches!(sent, Err(SendError::Closed));

    assert!(is_closed(sender.send("early".to_owned()).await) && sender.is_closed());
    let server = Running::start(server).await;
    sender.send("in time".to_owned()).await.unwrap();
    assert_eq!(peer.recv_text().await, "in time");
    server.stop().await;

    assert!(is_closed(sender.send("late".to_owned()).await));
    assert_eq!(handle.sender::<String>(peer.addr()).unwrap_err(), SenderError::Closed);
}

// S-18
#[tokio::test]
async fn there_is_no_sender_for_other_packet_types_or_unreachable_addresses() {
    let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await.unwrap();
    let handle = server.handle();
    let sender = |addr: &str| handle.sender::<String>(addr.parse::<SocketAddr>().unwrap());

    let other = handle.sender::<u32>(SocketAddr::from(([127, 0, 0, 1], 9))).unwrap_err();
    assert_eq!(other, SenderError::OtherPackets);
    for unreachable in ["[::1]:9", "127.0.0.1:0", "0.0.0.0:9"] {
        assert_eq!(sender(unreachable).unwrap_err(), SenderError::Unreachable, "{unreachable}");
    }
    assert!(sender("127.0.0.1:9").is_ok());
}

// S-18, B-7
#[tokio::test]
async fn the_socket_of_the_family_of_the_peer_is_used_for_sending() {
    let peers =
        [UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("[::1]:0").await.unwrap()];
    let both = || async { Server::bind("[::]:0", Text, async |text: String| text).await };
    let each = Server::bind(["[::1]:0", "127.0.0.1:0"], Text, async |text: String| text).await;
    let alone = Udp::new("[::]:0").ipv6_only(true);
    let alone = Server::bind(alone, Text, async |text: String| text).await.unwrap();
    let v4 = peers[0].local_addr().unwrap();
    assert_eq!(alone.handle().sender::<String>(v4).unwrap_err(), SenderError::Unreachable);

    for server in [both().await.unwrap(), each.unwrap()] {
        let server = Running::start(server).await;
        for peer in &peers {
            let addr = peer.local_addr().unwrap();
            sender(&server, addr).send(addr.to_string()).await.unwrap();

            let mut datagram = [0; 64];
            let (len, _) = within_deadline(peer.recv_from(&mut datagram)).await.unwrap();
            assert_eq!(&datagram[..len], addr.to_string().as_bytes());
        }
        server.stop().await;
    }
}
