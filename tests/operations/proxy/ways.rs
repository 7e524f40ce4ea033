//! The ways of replies: who is a peer, and through which proxy it is answered.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{
    Addr, Begun, BoxError, Handler, Limits, Peer, PeerSender, ReplyStore, Server, StoredRequest,
    TaggedServer, Text, tagged,
};
use tokio::sync::Semaphore;

use super::{Net, header::of, recv, send, trusted, until};

const ONE: &str = "192.0.2.7:5000";
const TWO: &str = "192.0.2.7:5001";

/// Counts the packets of a conversation. Waits for permission before each reply, if there are permits.
struct Counter(Option<Arc<Semaphore>>);

impl Handler<String, String> for Counter {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        for n in 1.. {
            let text = peer.recv().await?;
            if let Some(permits) = &self.0 {
                permits.acquire().await?.forget();
            }
            let proxy = peer.addr().proxy().map_or_else(String::new, |proxy| proxy.to_string());
            peer.send(format!("{} {text} {n} {proxy}", peer.addr())).await?;
        }
        Ok(())
    }
}

async fn counting(permits: Option<Arc<Semaphore>>) -> Net {
    Net::serve(Server::builder(Text, Counter(permits)).trust_proxy(trusted())).await
}

// O-23
#[tokio::test(start_paused = true)]
async fn two_clients_behind_one_proxy_are_two_peers() {
    let net = counting(None).await;
    let proxy = net.at("10.0.0.1:53").await;

    for n in 1..=3 {
        for client in [ONE, TWO] {
            send(&proxy, of(client, "hi")).await;
            assert_eq!(recv(&proxy).await, format!("{client} hi {n} 10.0.0.1:53"));
        }
    }
    assert_eq!(net.handle.stats().active_conversations, 2);
}

// O-23
#[tokio::test(start_paused = true)]
async fn a_client_behind_two_proxies_is_one_peer_and_each_reply_goes_back_its_own_way() {
    let net = counting(None).await;
    let (a, b) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);
    let direct = net.at(ONE).await;

    for n in 0..4 {
        send(&a, of(ONE, "hi")).await;
        assert_eq!(recv(&a).await, format!("{ONE} hi {} 10.0.0.1:53", 3 * n + 1));
        send(&b, of(ONE, "hi")).await;
        assert_eq!(recv(&b).await, format!("{ONE} hi {} 10.0.0.2:53", 3 * n + 2));
        send(&direct, "hi").await;
        assert_eq!(recv(&direct).await, format!("{ONE} hi {} ", 3 * n + 3));
    }
    assert_eq!(net.handle.stats().active_conversations, 1);
}

// O-23
#[tokio::test(start_paused = true)]
async fn datagrams_that_wait_remember_their_proxies() {
    let permits = Arc::new(Semaphore::new(0));
    let net = counting(Some(Arc::clone(&permits))).await;
    let (a, b) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);

    for (n, proxy) in [&a, &b, &b, &a, &b].into_iter().enumerate() {
        send(proxy, of(ONE, &n.to_string())).await;
        until(|| net.handle.stats().received == n as u64 + 1).await;
    }
    permits.add_permits(5);

    for (n, proxy, addr) in [(0, &a, 1), (1, &b, 2), (2, &b, 2), (3, &a, 1), (4, &b, 2)] {
        assert_eq!(recv(proxy).await, format!("{ONE} {n} {} 10.0.0.{addr}:53", n + 1));
    }
}

// O-23
#[tokio::test(start_paused = true)]
async fn the_next_conversation_begins_with_the_proxy_of_its_datagram() {
    /// Says hello before it receives, and waits after that.
    struct Hello(Arc<Semaphore>);

    impl Handler<String, String> for Hello {
        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            peer.send("hello".to_owned()).await?;
            peer.recv().await?;
            self.0.acquire().await?.forget();
            Ok(())
        }
    }

    let permits = Arc::new(Semaphore::new(0));
    let hello = Hello(Arc::clone(&permits));
    let net = Net::serve(Server::builder(Text, hello).trust_proxy(trusted())).await;
    let (a, b) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);

    send(&a, of(ONE, "1")).await;
    assert_eq!(recv(&a).await, "hello");
    send(&b, of(ONE, "2")).await;
    until(|| net.handle.stats().received == 2).await;
    permits.add_permits(2);

    assert_eq!(recv(&b).await, "hello");
}

// O-23
#[tokio::test(start_paused = true)]
async fn a_packet_that_was_put_back_keeps_its_proxy() {
    struct PutBack;

    impl Handler<String, String> for PutBack {
        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            let first = peer.recv().await?;
            if first == "second" {
                return Ok(peer.send("through the second".to_owned()).await?);
            }
            peer.send(first).await?;
            let second = peer.recv().await?;
            peer.put_back(second);
            Ok(())
        }
    }

    let net = Net::serve(Server::builder(Text, PutBack).trust_proxy(trusted())).await;
    let (a, b) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);

    send(&a, of(ONE, "first")).await;
    assert_eq!(recv(&a).await, "first");
    send(&b, of(ONE, "second")).await;
    assert_eq!(recv(&b).await, "through the second");
}

// O-23
#[tokio::test(start_paused = true)]
async fn senders_keep_to_the_proxy_that_their_address_remembers() {
    #[derive(Clone)]
    struct Kept {
        sender: PeerSender<String>,
        addr: Addr,
    }

    /// Keeps a sender and the address of each packet.
    struct Keep(Arc<Mutex<Vec<Kept>>>);

    impl Handler<String, String> for Keep {
        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            loop {
                peer.recv().await?;
                let kept = Kept { sender: peer.sender(), addr: peer.addr().clone() };
                self.0.lock().unwrap().push(kept);
            }
        }
    }

    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Keep(Arc::clone(&kept));
    let net = Net::serve(Server::builder(Text, keep).trust_proxy(trusted())).await;
    let (a, b) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);
    let client = net.at(ONE).await;
    for (n, proxy) in [&a, &b].into_iter().enumerate() {
        send(proxy, of(ONE, "hi")).await;
        until(|| kept.lock().unwrap().len() == n + 1).await;
    }

    let kept = kept.lock().unwrap().clone();
    for (Kept { sender, addr }, proxy) in kept.iter().zip([&a, &b]) {
        sender.send("a sender".to_owned()).await.unwrap();
        assert_eq!(recv(proxy).await, "a sender");
        let sender = net.handle.sender::<String>(addr).unwrap();
        sender.send("a handle".to_owned()).await.unwrap();
        assert_eq!(recv(proxy).await, "a handle");
    }
    // They are senders to one peer, and so is one to the address in text. That one knows no proxy.
    let in_text = net.handle.sender::<String>(ONE.parse::<Addr>().unwrap()).unwrap();
    assert!(kept[0].sender == kept[1].sender && kept[0].addr == kept[1].addr);
    assert_eq!(*in_text.addr(), kept[0].addr);
    in_text.send("to the client".to_owned()).await.unwrap();
    assert_eq!(recv(&client).await, "to the client");
}

/// A store in which another server has answered the request with the id 9.
struct Answered;

impl ReplyStore for Answered {
    type Key = bool;

    fn key(&self, request: &StoredRequest<'_>) -> bool {
        request.id() == 9
    }

    async fn begin(&self, is_known: &bool, _: Duration) -> Result<Begun, BoxError> {
        Ok(if *is_known { Begun::Answered(b"\x01\0\0\0\x09stored".into()) } else { Begun::New })
    }

    async fn complete(&self, _: &bool, _: &[u8], _: Duration) -> Result<(), BoxError> {
        Ok(())
    }

    async fn forget(&self, _: &bool) -> Result<(), BoxError> {
        Ok(())
    }
}

// O-21, O-23
#[tokio::test(start_paused = true)]
async fn a_reply_of_the_store_goes_to_the_proxy_that_its_request_has_come_through() {
    let permits = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&permits);
    let wait = tagged(move |text: String| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            text
        }
    });
    let builder = Server::builder(TaggedServer::new(Text), wait).trust_proxy(trusted());
    let net = Net::serve(builder.reply_store(Answered)).await;
    let (a, b) = (net.at("10.0.0.1:53").await, net.at("10.0.0.2:53").await);

    send(&a, of(ONE, "\0\0\0\0\x08new")).await;
    until(|| net.handle.stats().delivered == 1).await;
    send(&b, of(ONE, "\0\0\0\0\x09known")).await;
    until(|| net.handle.stats().received == 2).await;
    permits.add_permits(1);

    assert_eq!(recv(&a).await, "\x01\0\0\0\x08new");
    assert_eq!(recv(&b).await, "\x01\0\0\0\x09stored");
}

// O-23, G-1
#[tokio::test(start_paused = true)]
async fn what_waits_counts_with_its_source_and_gives_it_back() {
    let permits = Arc::new(Semaphore::new(0));
    let counter = Counter(Some(Arc::clone(&permits)));
    let limits = Limits::default().max_queue_len(3);
    let builder = Server::builder(Text, counter).trust_proxy(trusted()).limits(limits);
    let net = Net::serve(builder).await;
    let proxy = net.at("10.0.0.1:53").await;

    for _ in 0..10 {
        send(&proxy, of(ONE, "hi")).await;
    }
    until(|| net.handle.stats().received == 10).await;
    // Three wait, each with 160 bytes for itself, 136 for what came with it, and 160 for its source.
    until(|| net.handle.stats().queued_bytes == 3 * (2 + 160 + 136 + 160)).await;

    permits.add_permits(10);
    until(|| net.handle.stats().queued_bytes == 0).await;
}
