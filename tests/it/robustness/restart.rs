//! Row 14: one server after the other on a socket that stays open, as systemd or a parent process holds it.

#[cfg(target_os = "linux")]
use std::os::unix::net::UnixDatagram;
use std::{net::UdpSocket, time::Duration};

#[cfg(target_os = "linux")]
use datagrammar::{Client, Unix};
use datagrammar::{Raw, Server, ServerBuilder, ServerStats, Text};

use super::times;
#[cfg(target_os = "linux")]
use crate::paths::temporary_path;
use crate::support::{BindNow, Bytes, Running, client_on, conversing, until, within_deadline};

const DEADLINE: Duration = Duration::from_secs(20);

/// Sends `requests` in all while one server follows the other, each on the socket that `bind` gives it. So many as
/// `at_a_time` are on their way at a time. Returns how many were answered, and the sums of the counters.
async fn hand_over(
    bind: impl Fn(ServerBuilder<Text>) -> Server,
    peer: Bytes,
    servers: u64,
    requests: u64,
    at_a_time: u64,
) -> (u64, Sums) {
    let (mut answered, mut sums) = (0, Sums::default());
    for n in 0..servers {
        let handler = conversing!(|peer| {
            let text = peer.recv().await?;
            if text.ends_with('7') {
                tokio::task::yield_now().await;
            }
            Ok(peer.send(&text).await?)
        });
        let server = Running::start(bind(Server::builder(Text, handler))).await;
        let rounds = requests / servers / at_a_time;
        for round in 0..rounds {
            peer.send_all((0..at_a_time).map(|n| n.to_string())).await;
            // Of the last round, the server has received none, some or all when it ends.
            if round + 1 == rounds {
                until(|| server.handle.stats().received >= round * at_a_time + n % 2).await;
                break;
            }
            for _ in 0..at_a_time {
                peer.recv().await;
                answered += 1;
            }
        }
        let handle = server.handle.clone();
        assert_eq!(within_deadline(handle.graceful_shutdown(DEADLINE)).await, 0);
        within_deadline(server.serving).await.unwrap().unwrap();
        sums.add(&handle.stats());
        // Nobody reads now. What the next server reads first are the datagrams that wait.
        while peer.0.recv_timeout(Duration::ZERO).await.is_ok() {
            answered += 1;
        }
    }
    let last = Running::start(bind(Server::builder(Text, async |text: String| text))).await;
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

/// Requires that none of `requests` was lost.
fn none_is_lost(requests: u64, (answered, sums): (u64, Sums)) {
    println!("{requests} requests, {answered} answered, {sums:?}");
    assert_eq!(sums.received, requests + 1, "a request was read by no server");
    assert_eq!((answered, sums.dropped), (requests, 0), "{sums:?}");
}

/// The same over UDP, where the buffer of the socket holds `AT_A_TIME` datagrams.
async fn over_udp(servers: u64, dedicated_threads: bool) {
    const AT_A_TIME: u64 = 50;

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = Bytes(client_on(socket.local_addr().unwrap(), Raw).unwrap());
    let requests = servers * 10 * AT_A_TIME;
    let bind = |builder: ServerBuilder<Text>| {
        let builder = builder.dedicated_threads(dedicated_threads);
        builder.bind_now(socket.try_clone().unwrap()).unwrap()
    };
    none_is_lost(requests, hand_over(bind, peer, servers, requests, AT_A_TIME).await);
}

// B-13, L-27, G-9
#[tokio::test]
async fn of_a_socket_that_stays_open_the_next_server_takes_what_the_last_one_has_left() {
    over_udp(times("DATAGRAMMAR_RESTARTS", 20), false).await;
}

// B-13, L-27, G-9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_several_threads() {
    over_udp(times("DATAGRAMMAR_RESTARTS", 20), false).await;
}

// B-13, L-27, G-9
#[tokio::test]
async fn the_same_with_a_worker_on_its_own_thread() {
    over_udp(times("DATAGRAMMAR_RESTARTS", 20), true).await;
}

// B-13, L-27, G-9
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_same_over_a_unix_socket() {
    const AT_A_TIME: u64 = 8; // its queue holds 11

    let path = temporary_path();
    let socket = UnixDatagram::bind(&path).unwrap();
    let client = Unix::new(&path).local_addr(temporary_path());
    let peer = Bytes(Client::connect(client, Raw).await.unwrap());
    let servers = times("DATAGRAMMAR_RESTARTS", 20);
    let requests = servers * 10 * AT_A_TIME;
    let bind =
        |builder: ServerBuilder<Text>| builder.bind_now(socket.try_clone().unwrap()).unwrap();
    none_is_lost(requests, hand_over(bind, peer, servers, requests, AT_A_TIME).await);
}
