//! `PeerSender`, which can outlive its conversation.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use datagrammar::{Addr, Handler, Limits, PeerSender, SendError, Server, Text};
use tokio::net::UdpSocket;

use crate::support::{BindNow, Net, Running, conversing, everywhere, until, within_deadline};

/// The sender of each conversation, in order.
#[derive(Clone, Debug, Default)]
struct Senders(Arc<Mutex<Vec<PeerSender<String>>>>);

impl Senders {
    /// A handler that answers one request and stores a sender here.
    fn handler(&self) -> impl Handler<String, String> + use<> {
        let senders = self.clone();
        conversing!(
            [senders] | peer | {
                let request = peer.recv().await?;
                senders.0.lock().unwrap().push(peer.sender());
                Ok(peer.send(&request).await?)
            }
        )
    }

    fn all(&self) -> Vec<PeerSender<String>> {
        self.0.lock().unwrap().clone()
    }
}

fn is_closed(sent: &Result<(), SendError>) -> bool {
    matches!(sent, Err(SendError::Closed))
}

everywhere! {
    // S-14
    async fn a_sender_works_after_its_conversation_and_opens_none(net) {
        let senders = Senders::default();
        let server = net.serve_text(senders.handler()).await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("hello").await;
        until(|| server.handle.stats().conversations == 1).await;
        until(|| server.handle.stats().active_conversations == 0).await;

        let sender = senders.all().remove(0);
        sender.send(&"news".to_owned()).await.unwrap();

        // The peer receives only from the address that it sent to.
        assert_eq!(peer.recv_text().await, "news");
        assert_eq!(*sender.addr(), peer.addr());
        let stats = server.handle.stats();
        assert_eq!((stats.conversations, stats.active_conversations, stats.received), (1, 0, 1));
        server.stop().await;
    }

    // S-13
    async fn senders_to_the_same_peer_are_equal(net) {
        let senders = Senders::default();
        let server = net.serve_text(senders.handler()).await;
        let (one, other) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
        one.ask("first").await;
        one.ask("second").await;
        other.ask("first").await;

        let [first, second, others] = &senders.all()[..] else { panic!("three conversations") };

        assert_eq!(first, second);
        assert_eq!(first, &second.clone());
        assert_ne!(first, others);
        let known: HashSet<_> = [first.clone()].into();
        assert!(known.contains(second) && !known.contains(others));
        server.stop().await;
    }

    // S-16
    async fn a_sender_does_not_count_as_a_conversation(net) {
        let senders = Senders::default();
        let handler = conversing!([senders] |peer| {
            let request = peer.recv().await?;
            senders.0.lock().unwrap().push(peer.sender());
            tokio::task::yield_now().await;
            Ok(peer.send(&request).await?)
        });
        let server = net.serve_text_within(Limits::default().max_conversations(1), handler).await;

        for n in 1..=5 {
            let peer = net.peer_of(&server.handle).await;
            assert_eq!(peer.ask("hello").await, "hello");
            until(|| server.handle.stats().active_conversations == 0).await;
            assert_eq!(senders.all().len(), n);
        }

        assert_eq!(server.handle.stats().total_dropped(), 0);
        server.stop().await;
    }

    // S-16, L-20
    async fn a_sender_keeps_no_socket_of_a_dropped_server_open(net) {
        let senders = Senders::default();
        let server = net.serve_text(senders.handler()).await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("hello").await;
        let addr = server.handle.local_addrs().remove(0);
        let sender = senders.all().remove(0);
        sender.send(&"in use".to_owned()).await.unwrap();
        assert_eq!(peer.recv_text().await, "in use");

        server.stop().await;

        assert!(sender.is_closed());
        assert!(is_closed(&sender.send(&"news".to_owned()).await));
        match &net {
            Net::Memory(network) => drop(network.bind(addr).unwrap()),
            _ => drop(Server::bind(addr, Text, async |text: String| text).await.unwrap()),
        }
    }

    // S-15
    async fn a_sender_is_closed_between_two_servings(net) {
        let senders = Senders::default();
        let server = Server::builder(Text, senders.handler()).bind_now(net.socket()).unwrap();
        let (handle, server) = (server.handle(), Arc::new(server));
        let serve = || {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.serve().await.unwrap() })
        };
        let serving = serve();
        within_deadline(handle.ready()).await;
        let peer = net.peer_of(&handle).await;
        peer.ask("hello").await;
        let sender = senders.all().remove(0);
        assert!(!sender.is_closed());

        handle.shutdown().await;
        within_deadline(serving).await.unwrap();
        assert!(sender.is_closed());
        assert!(is_closed(&sender.send(&"in between".to_owned()).await));
        let serving = serve();
        within_deadline(handle.ready()).await;

        assert!(!sender.is_closed());
        sender.send(&"news".to_owned()).await.unwrap();
        assert_eq!(peer.recv_text().await, "news");
        handle.shutdown().await;
        within_deadline(serving).await.unwrap();
    }

    // S-17
    async fn packets_of_a_hundred_tasks_arrive_whole_and_once(net) {
        let senders = Senders::default();
        let server = net.serve_text(senders.handler()).await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("hello").await;
        let sender = senders.all().remove(0);
        // Packets of many lengths, so that the test notices packets that are cut or mixed.
        let packet = |task: usize, n: usize| format!("{task}/{n}").repeat(1 + task);

        for task in 0..100 {
            let sender = sender.clone();
            tokio::spawn(async move {
                for n in 0..2 {
                    sender.send(&packet(task, n)).await.unwrap();
                }
            });
        }
        let mut heard = HashSet::new();
        for _ in 0..200 {
            assert!(heard.insert(peer.recv_text().await), "a packet came twice");
        }

        let sent = (0..100).flat_map(|task| (0..2).map(move |n| packet(task, n)));
        assert_eq!(heard, sent.collect());
        assert!(peer.hears_nothing().await);
        server.stop().await;
    }
}

// S-13, D-10
#[tokio::test]
async fn one_source_at_two_bound_addresses_is_two_peers_to_send_to() {
    let senders = Senders::default();
    let server = Server::builder(Text, senders.handler());
    let server = Running::start(server.bind(["127.0.0.1:0", "0.0.0.0:0"]).await.unwrap()).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let ports = server.handle.local_addrs();
    let ports = ports.iter().filter_map(Addr::socket_addr).map(|addr| addr.port());
    for port in ports {
        peer.send_to(b"hello", ("127.0.0.1", port)).await.unwrap();
        within_deadline(peer.recv_from(&mut [0; 8])).await.unwrap();
    }

    let [first, second] = &senders.all()[..] else { panic!("two conversations") };

    assert_eq!(first.addr(), second.addr());
    assert_ne!(first, second);
    assert_eq!(HashSet::from([first.clone(), second.clone()]).len(), 2);
    server.stop().await;
}
