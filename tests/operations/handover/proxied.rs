//! Servers behind load balancers that speak the PROXY protocol.

use std::net::{Ipv4Addr, SocketAddrV4};

use datagrammar::{Bytes, DropReason, Raw, Udp};

use super::*;

/// A load balancer.
struct Proxy(Client<Raw>);

impl Proxy {
    async fn of(addr: &Addr) -> Self {
        Self(Client::connect(addr, Raw).await.unwrap())
    }

    /// Sends for a client.
    async fn send(&self, client: SocketAddrV4, text: &str) {
        let mut datagram = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c".to_vec();
        for ip in [*client.ip(), Ipv4Addr::new(192, 0, 2, 1)] {
            datagram.extend(ip.octets());
        }
        datagram.extend([client.port(), 53].map(u16::to_be_bytes).concat());
        datagram.extend(text.as_bytes());
        within_deadline(self.0.send(Bytes::from(datagram))).await.unwrap();
    }

    async fn hear(&self) -> String {
        String::from_utf8(within_deadline(self.0.recv()).await.unwrap().to_vec()).unwrap()
    }

    async fn ask(&self, client: SocketAddrV4, text: &str) -> String {
        self.send(client, text).await;
        self.hear().await
    }
}

async fn start(name: &'static str, path: &Path, batch_io: bool) -> Running {
    let server = Server::builder(Text, Counting(name))
        .trust_proxy(["127.0.0.0/8".parse().unwrap()])
        .require_proxy(true);
    let transport = TakeOver::from(path).or(Udp::new("127.0.0.1:0").batch_io(batch_io));
    Running::start(within_deadline(server.bind(transport)).await.unwrap(), path, LONG).await
}

async fn hand_over_behind_proxies(batch_io: bool) {
    let client = |n| SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, n), 5_000);
    let path = temporary_path();
    let first = start("first", &path, batch_io).await;
    let (one, other) = (Proxy::of(&first.addr()).await, Proxy::of(&first.addr()).await);
    assert_eq!(one.ask(client(1), "a").await, "first 1 a");
    assert_eq!(one.ask(client(2), "wait for nothing").await, "first 1 wait for nothing");

    let second = start("second", &path, batch_io).await;
    until(|| !first.handle.is_serving()).await;

    // Of two clients behind one proxy, one was in conversation.
    assert_eq!(one.ask(client(3), "a").await, "second 1 a");
    assert_eq!(one.ask(client(1), "b").await, "first 2 b");
    // Each reply goes to the proxy of its request.
    assert_eq!(other.ask(client(1), "c").await, "first 3 c");
    assert_eq!(one.ask(client(1), "bye").await, "first 4 bye");
    // What waits when a conversation ends comes to the new process, with its proxy.
    other.send(client(2), "bye").await;
    one.send(client(2), "again").await;
    assert_eq!(other.hear().await, "first 2 bye");
    assert_eq!(one.hear().await, "second 1 again");

    let (aborted, stats) = first.end().await;
    assert_eq!((aborted, stats.total_dropped()), (0, stats.dropped(DropReason::HandedOver)));
    assert_eq!(other.ask(client(1), "a").await, "second 1 a");
    // Without a header. It is counted as received, and refused.
    other.0.send(Bytes::from_static(b"a")).await.unwrap();
    until(|| second.handle.stats().dropped(DropReason::ProxyHeader) == 1).await;
    second.shut_down().await;
}

// O-31, O-32, O-21, O-23
#[tokio::test]
async fn clients_behind_proxies_stay_in_their_conversations() {
    hand_over_behind_proxies(true).await;
}

// O-31, O-32, O-21, O-23
#[tokio::test]
async fn clients_behind_proxies_stay_in_their_conversations_without_batches() {
    hand_over_behind_proxies(false).await;
}
