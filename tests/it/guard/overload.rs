//! more requests than the server can answer.

mod drains;
mod ends;
mod requests;
mod threads;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};

use datagrammar::{DropReason, Guard, Limits, Server, ServerBuilder, Text};

use crate::{
    log::Log,
    support::{Net, Running, conversing, until, within_deadline},
};

/// Longer than a queue may wait before it stands.
const LONG: Duration = Duration::from_millis(6);
const LIMIT: Duration = Duration::from_millis(100);

/// A server whose handlers block its worker, and what they have received.
#[derive(Clone, Debug, Default)]
struct Slow {
    addr: Arc<OnceLock<SocketAddr>>,
    received: Arc<Mutex<Vec<String>>>,
    peers: Arc<Mutex<Vec<UdpSocket>>>,
}

impl Slow {
    /// Starts it. Each request takes the time `work`. While a handler works on "begin", `peers` others send a request each.
    async fn serve(&self, net: &Net, peers: usize, work: Duration, limits: Limits) -> Running {
        self.serve_with(net, peers, work, |builder| builder.limits(limits)).await
    }

    async fn serve_with(
        &self,
        net: &Net,
        peers: usize,
        work: Duration,
        set: impl FnOnce(ServerBuilder<Text>) -> ServerBuilder<Text>,
    ) -> Running {
        let slow = self.clone();
        let handler = move |text: String| {
            let slow = slow.clone();
            async move {
                slow.handle(&text, peers, work);
                text
            }
        };
        let server = net.serve(set(Server::builder(Text, handler))).await;
        let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
        self.addr.set(addr).unwrap();
        net.peer_of(&server.handle).await.send("begin").await;
        server
    }

    /// What a handler does: sends the requests of `peers`, or takes the time `work`.
    fn handle(&self, text: &str, peers: usize, work: Duration) {
        match text {
            "begin" => self.send(peers),
            _ => thread::sleep(work),
        }
        self.received.lock().unwrap().push(text.to_owned());
    }

    /// Sends the number of each peer. The server cannot receive meanwhile.
    fn send(&self, peers: usize) {
        self.send_each(peers, |number| number.to_string().into_bytes());
    }

    fn send_each(&self, peers: usize, datagram: impl Fn(usize) -> Vec<u8>) {
        for number in 0..peers {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(&datagram(number), self.addr.get().unwrap()).unwrap();
            self.peers.lock().unwrap().push(socket);
        }
    }

    /// The numbers that were received, in that order.
    fn numbers(&self) -> Vec<usize> {
        let received = self.received.lock().unwrap();
        received.iter().filter_map(|text| text.parse().ok()).collect()
    }
}

/// Waits until each of `datagrams` was received or dropped.
async fn until_settled(server: &Running, datagrams: u64) {
    until(|| {
        let stats = server.handle.stats();
        stats.received == datagrams && stats.delivered + stats.total_dropped() == datagrams
    })
    .await;
}

async fn are_served_newest_first(net: Net) {
    let (slow, limits) = (Slow::default(), Limits::default().max_queue_time(LIMIT * 100));
    let server = slow.serve(&net, 40, LONG, limits).await;

    until_settled(&server, 41).await;

    let numbers = slow.numbers();
    assert_eq!(numbers.len(), 40);
    let in_order = (0..).zip(&numbers).take_while(|(i, number)| i == *number).count();
    assert!((9..=36).contains(&in_order), "{numbers:?}");
    assert!(numbers[in_order..].is_sorted_by(|a, b| a > b), "{numbers:?}");
    let stats = server.handle.stats();
    assert_eq!((stats.total_dropped(), stats.queued_bytes, stats.spawned), (0, 0, 0));
    assert!((1..=33).contains(&stats.waited), "{stats}");
    assert!(stats.mean_wait() >= Some(LONG), "{stats}");
    server.stop().await;
}

//
#[tokio::test]
async fn when_the_queue_stands_new_peers_are_served_newest_first() {
    are_served_newest_first(Net::Loopback("127.0.0.1")).await;
}

//
#[tokio::test]
async fn when_the_queue_stands_new_peers_are_served_newest_first_without_batches() {
    are_served_newest_first(Net::Portable("127.0.0.1")).await;
}

//
#[tokio::test]
async fn without_a_limit_all_are_served_in_order_of_arrival() {
    let slow = Slow::default();
    let server = slow.serve(&Net::Loopback("127.0.0.1"), 40, LONG, Limits::default()).await;

    until_settled(&server, 41).await;

    assert_eq!(slow.numbers(), Vec::from_iter(0..40));
    server.stop().await;
}

//
#[tokio::test]
async fn requests_that_have_waited_too_long_are_dropped_before_they_are_decoded() {
    let log = Log::capture();
    let slow = Slow::default();
    let limits = Limits::default().max_queue_time(LIMIT);
    let net = Net::Loopback("127.0.0.1");
    let server = slow.serve(&net, 60, LIMIT / 2, limits).await;

    until_settled(&server, 61).await;

    let (stats, numbers) = (server.handle.stats(), slow.numbers());
    // Before the worker notices that they take long, it has received some in order.
    assert!(numbers.len() <= 20, "{numbers:?}");
    assert_eq!(stats.dropped(DropReason::Late), 60 - numbers.len() as u64);
    assert_eq!((stats.decode_errors, stats.queued_bytes), (0, 0));
    let warned = log
        .alarms()
        .iter()
        .filter(|told| told.fields.values().any(|value| value.contains("Limits::max_queue_time")))
        .count();
    assert_eq!(warned, 1);
    server.stop().await;
}

//
#[tokio::test]
async fn a_guard_drops_what_is_older_than_its_own_limit() {
    let slow = Slow::default();
    let guard = Guard::internet().max_queue_time(LIMIT);
    let server = slow
        .serve_with(&Net::Loopback("127.0.0.1"), 60, LIMIT / 2, |builder| builder.guard(guard))
        .await;

    until_settled(&server, 61).await;

    assert!(server.handle.stats().dropped(DropReason::Late) >= 40);
    server.stop().await;
}

//
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn handlers_on_other_threads_are_not_called_for_late_requests() {
    let slow = Slow::default();
    let limits = Limits::default().max_queue_time(LIMIT);
    let server = slow.serve(&Net::Threads("127.0.0.1"), 60, LIMIT / 2, limits).await;

    within_deadline(async {
        while server.handle.stats().conversations + server.handle.stats().total_dropped() < 61 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;

    let (stats, numbers) = (server.handle.stats(), slow.numbers());
    assert!(numbers.len() <= 10, "{numbers:?}");
    assert_eq!(stats.dropped(DropReason::Late), 60 - numbers.len() as u64);
    until(|| server.handle.stats().active_conversations == 0).await;
    assert_eq!(server.handle.stats().queued_bytes, 0);
    server.stop().await;
}

//
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn under_pressure_the_time_in_the_buffer_of_the_kernel_counts_too() {
    const MANY: usize = 150;
    // More than one system call receives.
    const OLD: usize = 100;
    let (slow, net, limit) = (Slow::default(), Net::Loopback("127.0.0.1"), LIMIT * 10);
    let handler = {
        let slow = slow.clone();
        move |text: String| {
            let slow = slow.clone();
            async move {
                match text.as_str() {
                    "begin" => slow.send(MANY),
                    "60" => {
                        let peers = slow.peers.lock().unwrap();
                        for peer in &peers[..OLD] {
                            peer.send_to(b"old", slow.addr.get().unwrap()).unwrap();
                        }
                        // Nobody reads the socket meanwhile.
                        thread::sleep(limit + LONG);
                    }
                    _ => thread::sleep(LONG / 20),
                }
                slow.received.lock().unwrap().push(text.clone());
                text
            }
        }
    };
    let limits = Limits::default().max_queue_time(limit);
    let server = net.serve(Server::builder(Text, handler).limits(limits)).await;
    slow.addr.set(server.handle.local_addrs().swap_remove(0).socket_addr().unwrap()).unwrap();
    let peer = net.peer_of(&server.handle).await;
    peer.send("begin").await;

    until_settled(&server, (1 + MANY + OLD) as u64).await;

    assert!(!slow.received.lock().unwrap().contains(&"old".to_owned()));
    assert!(server.handle.stats().dropped(DropReason::Late) >= OLD as u64);
    // A request that comes now is answered.
    peer.recv().await;
    assert_eq!(peer.ask("new").await, "new");
    server.stop().await;
}

//
#[tokio::test]
async fn running_conversations_come_before_new_peers() {
    let (slow, net) = (Slow::default(), Net::Loopback("127.0.0.1"));
    let handler = conversing!(
        [slow] | peer | {
            let mut text = peer.recv().await?;
            if text == "begin" {
                slow.send(40);
            }
            while text == "talk" {
                slow.received.lock().unwrap().push(text);
                text = peer.recv().await?;
            }
            thread::sleep(LONG);
            let count = {
                let mut received = slow.received.lock().unwrap();
                received.push(text);
                received.len()
            };
            if count == 25 {
                slow.peers.lock().unwrap()[0].send_to(b"talk", slow.addr.get().unwrap()).unwrap();
            }
            Ok(())
        }
    );
    let limits = Limits::default().max_queue_time(LIMIT * 100);
    let server = net.serve(Server::builder(Text, handler).limits(limits)).await;
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    slow.addr.set(addr).unwrap();
    let talker = UdpSocket::bind("127.0.0.1:0").unwrap();
    slow.peers.lock().unwrap().push(talker.try_clone().unwrap());
    talker.send_to(b"talk", addr).unwrap();
    until(|| slow.received.lock().unwrap().len() == 1).await;
    net.peer_of(&server.handle).await.send("begin").await;

    until_settled(&server, 43).await;

    let received = slow.received.lock().unwrap().clone();
    let talks: Vec<_> =
        (0..).zip(&received).filter(|(_, text)| *text == "talk").map(|(at, _)| at).collect();
    assert_eq!(talks, [0, 25], "{received:?}");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_conversation_does_not_receive_what_has_waited_too_long() {
    let handler = conversing!(|peer| {
        loop {
            let text = peer.recv().await?;
            peer.send(text).await?;
            tokio::time::sleep(LIMIT * 2).await;
        }
    });
    let net = Net::memory();
    let limits = Limits::default().max_queue_time(LIMIT);
    let server = net.serve(Server::builder(Text, handler).limits(limits)).await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("first").await, "first");
    for text in ["late", "later"] {
        peer.send(text).await;
    }
    tokio::time::sleep(LIMIT + LIMIT / 2).await;
    assert_eq!(peer.ask("in time").await, "in time");

    let stats = server.handle.stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::Late)), (2, 2));
    assert_eq!((stats.spawned, stats.waited), (1, 1));
    server.handle.set_limits(Limits::default()).unwrap();
    for text in ["a", "b"] {
        peer.send(text).await;
    }
    tokio::time::sleep(LIMIT * 3).await;
    assert_eq!((peer.recv_text().await, peer.recv_text().await), ("a".to_owned(), "b".to_owned()));
    server.stop().await;
}

// A-11, H-2
#[tokio::test(start_paused = true)]
async fn a_request_that_waited_for_the_last_conversation_of_its_peer_is_dropped_when_it_is_late() {
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        tokio::time::sleep(LIMIT * 2).await;
        peer.send(text).await?;
        Ok(())
    });
    let net = Net::memory();
    let limits = Limits::default().max_queue_time(LIMIT);
    let server = net.serve(Server::builder(Text, handler).limits(limits)).await;
    let peer = net.peer_of(&server.handle).await;

    for text in ["first", "late", "later"] {
        peer.send(text).await;
    }
    assert_eq!(peer.recv_text().await, "first");
    until(|| server.handle.stats().active_conversations == 0).await;
    assert_eq!(peer.ask("in time").await, "in time");

    let stats = server.handle.stats();
    assert_eq!((stats.conversations, stats.dropped(DropReason::Late)), (2, 2));
    server.stop().await;
}
