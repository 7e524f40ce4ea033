//! requests that wait, with what came with them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use datagrammar::AddressTokens;

use super::{super::tokens, *};
use crate::reply_cache::numbered;

async fn time_counts_from_the_read(net: Net) {
    let (slow, limits) = (Slow::default(), Limits::default().max_queue_time(LIMIT));
    let server = slow.serve(&net, 12, LIMIT / 2, limits).await;

    until_settled(&server, 13).await;

    // The worker looks at the clock after eight datagrams. The others of that batch have waited since it was read.
    let (stats, numbers) = (server.handle.stats(), slow.numbers());
    assert!(numbers.len() <= 8, "{numbers:?}");
    assert_eq!(stats.dropped(DropReason::Late), 12 - numbers.len() as u64);
    server.stop().await;
}

//
#[tokio::test]
async fn a_datagram_waits_from_the_time_when_it_was_read() {
    time_counts_from_the_read(Net::Loopback("127.0.0.1")).await;
}

//
#[tokio::test]
async fn a_datagram_waits_from_the_time_when_it_was_read_without_batches() {
    time_counts_from_the_read(Net::Portable("127.0.0.1")).await;
}

/// Requests that a reply cache knows are late. When they are repeated, they are answered.
async fn late_requests_are_answered_when_repeated(net: Net, peers: usize) {
    let slow = Slow::default();
    let handler = {
        let slow = slow.clone();
        move |text: String| {
            let slow = slow.clone();
            async move {
                slow.handle(&text, peers, LIMIT / 2);
                text
            }
        }
    };
    let limits = Limits::default().max_queue_time(LIMIT);
    let server = net.serve(numbered(handler).limits(limits)).await;
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    slow.addr.set(addr).unwrap();
    net.peer_of(&server.handle).await.send("begin").await;
    let settled = |datagrams| {
        let stats = server.handle.stats();
        stats.conversations + stats.total_dropped() == datagrams && stats.active_conversations == 0
    };
    until(|| settled(1 + peers as u64)).await;

    let served = slow.numbers();
    let late: Vec<_> = (0..peers).filter(|number| !served.contains(number)).collect();
    assert_eq!(server.handle.stats().dropped(DropReason::Late), late.len() as u64);
    assert!(!late.is_empty());
    for number in late.iter().take(3) {
        let peer = slow.peers.lock().unwrap()[*number].try_clone().unwrap();
        peer.send_to(number.to_string().as_bytes(), addr).unwrap();
        until(|| slow.numbers().contains(number)).await;
    }
    let stats = server.handle.stats();
    assert_eq!((stats.dropped(DropReason::Duplicate), stats.queued_bytes), (0, 0));
    server.stop().await;
}

//
#[tokio::test]
async fn a_request_that_was_late_in_the_backlog_is_answered_when_it_is_repeated() {
    late_requests_are_answered_when_repeated(Net::Loopback("127.0.0.1"), 12).await;
}

//
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_that_was_late_for_another_thread_is_answered_when_it_is_repeated() {
    late_requests_are_answered_when_repeated(Net::Threads("127.0.0.1"), 20).await;
}

//
#[tokio::test]
async fn a_request_that_is_repeated_while_it_waits_comes_next() {
    const PEERS: usize = 60;
    const AT: usize = 45;
    let slow = Slow::default();
    let handler = {
        let slow = slow.clone();
        move |text: String| {
            let slow = slow.clone();
            async move {
                slow.handle(&text, PEERS, LONG);
                let served = slow.numbers();
                if served.len() == AT {
                    // By now the queue stands, so the oldest one would be the last.
                    let oldest = (0..).find(|number| !served.contains(number)).unwrap();
                    let peer = &slow.peers.lock().unwrap()[oldest];
                    peer.send_to(oldest.to_string().as_bytes(), slow.addr.get().unwrap()).unwrap();
                }
                text
            }
        }
    };
    let net = Net::Loopback("127.0.0.1");
    let limits = Limits::default().max_queue_time(LIMIT * 100);
    let server = net.serve(numbered(handler).limits(limits)).await;
    slow.addr.set(server.handle.local_addrs().swap_remove(0).socket_addr().unwrap()).unwrap();
    net.peer_of(&server.handle).await.send("begin").await;

    until_settled(&server, 2 + PEERS as u64).await;

    let numbers = slow.numbers();
    let (before, after) = numbers.split_at(AT);
    let oldest = (0..).find(|number| !before.contains(number)).unwrap();
    assert_eq!((after[0], numbers.len()), (oldest, PEERS), "{numbers:?}");
    assert!(after[1..].is_sorted_by(|a, b| a > b), "{numbers:?}");
    assert_eq!(server.handle.stats().dropped(DropReason::Duplicate), 1);
    server.stop().await;
}

//
#[tokio::test]
async fn a_token_that_waited_lifts_the_budget_of_the_conversation_before_it() {
    let slow = Slow::default();
    let handler = {
        let slow = slow.clone();
        conversing!(
            [slow] | peer | {
                let mut text = peer.recv().await?;
                if text == "begin" {
                    let addr = slow.addr.get().unwrap();
                    slow.send_each(20, |number| [&[0; 16], number.to_string().as_bytes()].concat());
                    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                    let now = std::time::SystemTime::now();
                    let token = AddressTokens::new(tokens::secret())
                        .for_peer(socket.local_addr().unwrap(), now)
                        .issue(b"");
                    for (token, text) in [([0; 16], "first"), (token, "5000")] {
                        socket.send_to(&[&token, text.as_bytes()].concat(), addr).unwrap();
                    }
                    slow.peers.lock().unwrap().push(socket);
                }
                thread::sleep(LONG);
                if text == "first" {
                    text = peer.recv().await?;
                    peer.send("x".repeat(super::super::wanted(&text))).await?;
                }
                slow.received.lock().unwrap().push(text);
                Ok(())
            }
        )
    };
    let builder = Server::builder(tokens::Cookie, handler)
        .address_tokens(AddressTokens::new(tokens::secret()));
    let limits = Limits::default().max_queue_time(LIMIT * 100);
    let net = Net::Loopback("127.0.0.1");
    let server = net.serve(builder.guard(Guard::internet()).limits(limits)).await;
    slow.addr.set(server.handle.local_addrs().swap_remove(0).socket_addr().unwrap()).unwrap();
    let begin = [&[0; 16], &b"begin"[..]].concat();
    net.peer_of(&server.handle).await.send(begin).await;

    until_settled(&server, 23).await;
    until(|| server.handle.stats().active_conversations == 0).await;

    let stats = server.handle.stats();
    assert_eq!((stats.over_budget, stats.sent_bytes, stats.failed), (0, 5_001, 0));
    server.stop().await;
}

//
#[tokio::test]
async fn new_peers_that_wait_get_turns_while_timeouts_ask_for_more_reading() {
    const PEERS: usize = 30;
    let (slow, net) = (Slow::default(), Net::Loopback("127.0.0.1"));
    let repeated = Arc::new(AtomicUsize::new(0));
    let handler = conversing!(
        [slow, repeated] | peer | {
            let text = peer.recv().await?;
            let goes_on = || slow.numbers().len() < PEERS;
            match text.as_str() {
                // So the socket is never empty.
                "again" => {
                    let talker = slow.peers.lock().unwrap()[0].try_clone().unwrap();
                    while goes_on() {
                        repeated.fetch_add(usize::from(!slow.numbers().is_empty()), Relaxed);
                        talker.send_to(b"again", slow.addr.get().unwrap()).unwrap();
                        peer.recv().await?;
                    }
                }
                "wait" => {
                    while goes_on() {
                        let _ = peer.recv_timeout(Duration::from_millis(1)).await;
                    }
                }
                "begin" => slow.send(PEERS),
                _ => {
                    thread::sleep(LONG);
                    slow.received.lock().unwrap().push(text);
                }
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
    talker.send_to(b"again", addr).unwrap();
    for text in ["wait", "begin"] {
        net.peer_of(&server.handle).await.send(text).await;
    }

    until(|| slow.numbers().len() == PEERS).await;

    // One new peer is served after 64 reads.
    let repeated = repeated.load(Relaxed);
    assert!(repeated < 5_000, "{repeated}");
    server.stop().await;
}
