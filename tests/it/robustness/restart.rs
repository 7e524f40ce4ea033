//! Row 14: one server after the other on a socket that stays open, as systemd or a parent process holds it.

use std::{net::UdpSocket, time::Duration};

use datagrammar::{Raw, Server, ServerStats, Text};

use super::times;
use crate::support::{BindNow, Bytes, Running, client_on, conversing, until};

/// Requests that are on their way at a time: the buffer of the socket holds them.
const AT_A_TIME: u64 = 50;

/// Sends `requests` in all while one server follows the other; returns how many were answered, and the sums of the
/// counters.
async fn hand_over(servers: u64, requests: u64) -> (u64, Sums) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = Bytes(client_on(socket.local_addr().unwrap(), Raw).unwrap());
    let (mut answered, mut sums) = (0, Sums::default());
    for n in 0..servers {
        let handler = conversing!(|peer| {
            let text = peer.recv().await?;
            if text.ends_with('7') {
                tokio::task::yield_now().await;
            }
            Ok(peer.send(&text).await?)
        });
        let server = Server::builder(Text, handler).bind_now(socket.try_clone().unwrap()).unwrap();
        let server = Running::start(server).await;
        for round in 0..requests / servers / AT_A_TIME {
            peer.send_all((0..AT_A_TIME).map(|n| n.to_string())).await;
            // Of the last round, the server has received none, some or all when it ends.
            if round + 1 == requests / servers / AT_A_TIME {
                until(|| server.handle.stats().received >= round * AT_A_TIME + n % 2).await;
                break;
            }
            for _ in 0..AT_A_TIME {
                peer.recv().await;
                answered += 1;
            }
        }
        let handle = server.handle.clone();
        server.stop().await;
        sums.add(&handle.stats());
        // Nobody reads now. What the next server reads first are the datagrams that wait.
        while peer.0.recv_timeout(Duration::ZERO).await.is_ok() {
            answered += 1;
        }
    }
    let last = Server::builder(Text, async |text: String| text);
    let last = Running::start(last.bind_now(socket).unwrap()).await;
    peer.send("the last one").await;
    while peer.recv_text().await != "the last one" {
        answered += 1;
    }
    let handle = last.handle.clone();
    last.stop().await;
    sums.add(&handle.stats());
    (answered, sums)
}

#[derive(Debug, Default)]
struct Sums {
    received: u64,
    sent: u64,
    dropped: u64,
}

impl Sums {
    fn add(&mut self, stats: &ServerStats) {
        assert_eq!(stats.received, stats.delivered + stats.total_dropped(), "{stats}");
        self.received += stats.received;
        self.sent += stats.sent;
        self.dropped += stats.total_dropped();
    }
}

// B-13, L-12, G-9
#[tokio::test]
async fn of_a_socket_that_stays_open_the_next_server_takes_what_the_last_one_has_left() {
    let servers = times("DATAGRAMMAR_RESTARTS", 20);
    let requests = servers * 10 * AT_A_TIME;

    let (answered, sums) = hand_over(servers, requests).await;

    println!("{servers} servers, {requests} requests, {answered} answered, {sums:?}");
    assert_eq!(sums.received, requests + 1, "a request was read by no server");
    assert_eq!(answered + sums.dropped, requests, "{sums:?}");
}
