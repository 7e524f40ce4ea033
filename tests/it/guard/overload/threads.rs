//! A-12, D-2, G-9: overload on several threads, while the limit changes.

use std::collections::HashMap;

use super::*;

const PEERS: usize = 60;

/// Each peer sends its requests in order, and the limit changes meanwhile. All are served or dropped, in order.
async fn courses(net: Net) {
    let seen = Arc::new(Mutex::new(Vec::<String>::new()));
    let handler = {
        let seen = Arc::clone(&seen);
        move |text: String| {
            let seen = Arc::clone(&seen);
            async move {
                thread::sleep(Duration::from_micros(300));
                seen.lock().unwrap().push(text.clone());
                if text.ends_with('0') {
                    tokio::task::yield_now().await;
                }
                text
            }
        }
    };
    let limited = Limits::default().max_queue_time(LIMIT * 2);
    let server = net.serve(Server::builder(Text, handler).limits(limited.clone())).await;
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    let peers: Vec<_> = (0..PEERS).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let mut sent = 0;
    for round in 0..8 {
        for (number, peer) in (0..).zip(&peers) {
            for i in 0..2 {
                let text = format!("{number}:{}", 10 + 2 * round + i);
                sent += u64::from(peer.send_to(text.as_bytes(), addr).is_ok());
            }
        }
        let limits = if round % 3 == 1 { Limits::default() } else { limited.clone() };
        server.handle.set_limits(limits).unwrap();
        // All of them are settled, so no worker has missed that it may go on.
        if round % 2 == 1 {
            until(|| {
                let stats = server.handle.stats();
                stats.received == sent && stats.delivered + stats.total_dropped() == sent
            })
            .await;
        }
    }
    until(|| server.handle.stats().active_conversations == 0).await;

    assert_eq!(server.handle.stats().queued_bytes, 0);
    let mut last = HashMap::new();
    for text in seen.lock().unwrap().iter() {
        let (peer, number) = text.split_once(':').unwrap();
        let before = last.insert(peer.to_owned(), number.to_owned());
        assert!(before.is_none_or(|before| *before < *number), "{text}");
    }
    server.stop().await;
}

//
#[tokio::test]
async fn no_datagram_is_forgotten_on_one_thread() {
    courses(Net::Loopback("127.0.0.1")).await;
}

//
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_datagram_is_forgotten_with_several_workers() {
    courses(Net::Workers("127.0.0.1")).await;
}

//
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_datagram_is_forgotten_on_dedicated_threads() {
    courses(Net::Threads("127.0.0.1")).await;
}

//
#[tokio::test]
async fn no_datagram_is_forgotten_on_dedicated_threads_beside_one_runtime_thread() {
    courses(Net::Threads("127.0.0.1")).await;
}
