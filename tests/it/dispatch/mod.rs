//! Dispatch, order, the queue: section D.

mod admission;
mod functions;
mod network;
mod simulation;
mod tasks;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use datagrammar::{DatagramProtocol, DecodeError, DropReason, EncodeError, Server, Text};
use tokio::{net::UdpSocket, task::yield_now, time::sleep};

use crate::{
    log::Log,
    support::{Gate, Running, conversing, everywhere, until, within_deadline},
};

/// Text that counts the datagrams that it decodes.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<AtomicU32>);

impl DatagramProtocol for Counted {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        self.0.fetch_add(1, SeqCst);
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)
    }
}

everywhere! {
    // D-1
    async fn a_datagram_of_a_peer_without_conversation_opens_one(net) {
        let server = net.serve_text(async |text: String| text.to_uppercase()).await;
        let peer = net.peer_of(&server.handle).await;

        let reply = peer.ask("hello, world.").await;

        assert_eq!(reply, "HELLO, WORLD.");
        assert_eq!(server.handle.stats().conversations, 1);
        server.stop().await;
    }

    // D-2
    async fn nothing_is_decoded_for_a_handler_that_does_not_receive(net) {
        let (decoded, gate) = (Counted::default(), Gate::closed());
        let server = net.serve(Server::builder(decoded.clone(), conversing!([gate] |peer| {
            peer.send(&"held".to_owned()).await?;
            gate.pass().await;
            Ok(())
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("opens").await, "held");
        peer.send("waits").await;
        until(|| server.handle.stats().received == 2).await;
        gate.open();
        until(|| server.handle.stats().dropped(DropReason::Unread) == 2).await;

        assert_eq!(decoded.0.load(SeqCst), 0);
        server.stop().await;
    }

    // D-3
    async fn returning_before_recv_discards_the_opening_datagram(net) {
        let log = Log::capture();
        let refused = Arc::new(AtomicU32::new(0));
        let server = net.serve_text(conversing!([refused] |peer| {
            if refused.fetch_add(1, SeqCst) == 0 {
                return Ok(());
            }
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("discarded").await;
        until(|| server.handle.stats().dropped(DropReason::Unread) == 1).await;
        let reply = peer.ask("heard").await;

        assert_eq!(reply, "heard");
        assert!(peer.hears_nothing().await);
        assert!(log.alarms().is_empty());
        server.stop().await;
    }

    // D-3
    async fn a_task_that_returns_before_recv_discards_the_opening_datagram(net) {
        let log = Log::capture();
        let conversations = Arc::new(AtomicU32::new(0));
        let server = net.serve_text(conversing!([conversations] |peer| {
            yield_now().await;
            if conversations.fetch_add(1, SeqCst) == 0 {
                return Ok(());
            }
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("discarded").await;
        until(|| server.handle.stats().dropped(DropReason::Unread) == 1).await;
        let reply = peer.ask("heard").await;

        assert_eq!(reply, "heard");
        assert!(peer.hears_nothing().await);
        assert!(log.alarms().is_empty());
        server.stop().await;
    }

    // D-3
    async fn a_handler_may_refuse_after_five_answered_requests(net) {
        let conversations = Arc::new(AtomicU32::new(0));
        let server = net.serve_text(conversing!([conversations] |peer| {
            if conversations.fetch_add(1, SeqCst) == 5 {
                return Ok(());
            }
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..5 {
            assert_eq!(peer.ask(&n.to_string()).await, n.to_string());
        }
        peer.send("discarded").await;
        until(|| server.handle.stats().dropped(DropReason::Unread) == 1).await;
        let reply = peer.ask("heard").await;

        assert_eq!(reply, "heard");
        assert!(peer.hears_nothing().await);
        server.stop().await;
    }

    // D-4
    async fn local_variables_live_as_long_as_the_conversation(net) {
        let server = net.serve_text(conversing!(|peer| {
            let mut sum = 0;
            loop {
                sum += peer.recv().await?.parse::<u32>()?;
                peer.send(&sum.to_string()).await?;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;

        let sums = [peer.ask("1").await, peer.ask("20").await, peer.ask("300").await];

        assert_eq!(sums, ["1", "21", "321"]);
        server.stop().await;
    }

    // D-4
    async fn a_conversation_receives_only_from_its_own_peer(net) {
        let server = net.serve_text(conversing!(|peer| {
            let mut heard = String::new();
            loop {
                heard += &peer.recv().await?;
                peer.send(&heard).await?;
            }
        })).await;
        let (left, right) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        left.ask("a").await;
        right.ask("x").await;
        left.ask("b").await;
        right.ask("y").await;

        assert_eq!(left.ask("c").await, "abc");
        assert_eq!(right.ask("z").await, "xyz");
        server.stop().await;
    }

    // D-5
    async fn a_datagram_that_waits_when_a_handler_returns_opens_the_next_conversation(net) {
        let conversations = Arc::new(AtomicU32::new(0));
        let server = net.serve_text(conversing!([conversations] |peer| {
            let number = conversations.fetch_add(1, SeqCst);
            for _ in 0..2 {
                let text = peer.recv().await?;
                peer.send(&format!("{number}:{text}")).await?;
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["a", "b", "c"] {
            peer.send(text).await;
        }

        assert_eq!(peer.recv_text().await, "0:a");
        assert_eq!(peer.recv_text().await, "0:b");
        assert_eq!(peer.recv_text().await, "1:c");
        server.stop().await;
    }

    // D-6
    async fn a_datagram_that_comes_while_the_handler_sleeps_is_received_next(net) {
        let server = net.serve_text(conversing!(|peer| {
            let first = peer.recv().await?;
            peer.send(&first).await?;
            sleep(Duration::from_millis(500)).await;
            let second = peer.recv().await?;
            Ok(peer.send(&second).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("first").await, "first");
        assert_eq!(peer.ask("second").await, "second");

        assert_eq!(server.handle.stats().delivered, 2);
        server.stop().await;
    }

    // D-7
    async fn pairs_are_answered_in_order_by_a_handler_that_returns_after_each(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            let first = peer.recv().await?;
            gate.pass().await;
            let second = peer.recv().await?;
            Ok(peer.send(&(first + &second)).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..10 {
            peer.send(n.to_string()).await;
        }
        until(|| server.handle.stats().received == 10).await;
        gate.open();

        for pair in ["01", "23", "45", "67", "89"] {
            assert_eq!(peer.recv_text().await, pair);
        }
        server.stop().await;
    }

    // D-7
    async fn pairs_are_answered_in_order_by_a_handler_that_loops(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            loop {
                let first = peer.recv().await?;
                gate.pass().await;
                let second = peer.recv().await?;
                peer.send(&(first + &second)).await?;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..10 {
            peer.send(n.to_string()).await;
        }
        until(|| server.handle.stats().received == 10).await;
        gate.open();

        for pair in ["01", "23", "45", "67", "89"] {
            assert_eq!(peer.recv_text().await, pair);
        }
        server.stop().await;
    }

    // D-11
    async fn an_empty_datagram_opens_a_conversation_and_can_be_the_answer(net) {
        let decoded = Counted::default();
        let server = net.serve(Server::builder(decoded.clone(), async |text: String| text)).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("").await, "");
        assert_eq!(peer.ask("after").await, "after");

        assert_eq!(decoded.0.load(SeqCst), 2);
        assert_eq!(server.handle.stats().received, 2);
        server.stop().await;
    }

    // D-11
    async fn a_datagram_without_bytes_does_not_end_a_conversation(net) {
        let server = net.serve_text(conversing!(|peer| {
            let mut lens = Vec::new();
            for _ in 0..4 {
                lens.push(peer.recv().await?.len());
            }
            Ok(peer.send(&format!("{lens:?}")).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["one", "", "", "four"] {
            peer.send(text).await;
        }

        assert_eq!(peer.recv_text().await, "[3, 0, 0, 4]");
        server.stop().await;
    }
}

// D-10
#[tokio::test]
async fn a_source_that_sends_to_two_addresses_is_two_peers() {
    let handler = conversing!(|peer| {
        let mut heard = String::new();
        loop {
            heard += &peer.recv().await?;
            let (local, addr) = (peer.local_addr(), peer.addr().clone());
            peer.send(&format!("{heard} at {local} from {addr}")).await?;
        }
    });
    let server = Server::builder(Text, handler).bind(["127.0.0.1:0", "127.0.0.2:0"]).await.unwrap();
    let server = Running::start(server).await;
    let bound = server.handle.local_addrs();
    let source = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = source.local_addr().unwrap();

    let mut heard = Vec::new();
    for (text, to) in [("a", 0), ("x", 1), ("b", 0), ("y", 1)] {
        let mut room = [0; 100];
        source.send_to(text.as_bytes(), bound[to].socket_addr().unwrap()).await.unwrap();
        let received = within_deadline(source.recv_from(&mut room)).await;
        let (len, from) = received.unwrap();
        assert_eq!(bound[to].socket_addr(), Some(from));
        heard.push(String::from_utf8(room[..len].to_vec()).unwrap());
    }

    assert_eq!(heard[2], format!("ab at {} from {addr}", bound[0]));
    assert_eq!(heard[3], format!("xy at {} from {addr}", bound[1]));
    assert_eq!(server.handle.stats().active_conversations, 2);
    server.stop().await;
}
