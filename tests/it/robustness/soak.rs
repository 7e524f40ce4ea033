//! Row 17: hours of traffic, here seconds, over the kernel's loopback: 20,000 requests a second from 1,000 peers, and 100
//! new peers each second.

use std::{
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use datagrammar::{Guard, Limits, Server, ServerHandle, Text};

use super::times;
use crate::{
    alone::{Memory, alone},
    support::{BindNow, conversing},
};

const PEERS: usize = 1_000;
const NEW_EACH_SECOND: u32 = 100;
const PER_MS: usize = 20;

/// The load of one ms: a request of each of 20 peers in turn, whose last answers are read first.
struct Load {
    server: ServerHandle,
    peers: Vec<UdpSocket>,
    turn: usize,
    asked: u64,
    answered: u64,
}

impl Load {
    fn peer(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.server.local_addrs()[0].socket_addr().unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn ms(&mut self) {
        for _ in 0..PER_MS {
            self.turn = (self.turn + 1) % PEERS;
            self.ask(self.turn);
        }
    }

    fn ask(&mut self, n: usize) {
        let mut buf = [0; 64];
        while self.peers[n].recv(&mut buf).is_ok() {
            self.answered += 1;
        }
        self.peers[n].send(b"a request of a peer that comes often").unwrap();
        self.asked += 1;
    }

    /// In place of the peer at `n`, which leaves without a word, comes a new one.
    fn replace(&mut self, n: usize) {
        self.peers[n] = self.peer();
    }
}

/// What the system counts as the memory of this process, in KiB.
fn rss() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

// G-5, G-7, G-12
#[test]
fn traffic_without_an_end_takes_no_more_memory() {
    alone(|| {
        let seconds = times("DATAGRAMMAR_SOAK", 3);
        let warm = seconds / 3;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let handler = conversing!(|peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(&text).await?;
            }
        });
        // Those who have left lose their places within the time of the small test too.
        let limits = Limits::default().idle_timeout(Duration::from_millis(500));
        let guard = Guard::internet().reply_rate(None);
        let server = {
            let _inside = runtime.enter();
            Server::builder(Text, handler)
                .limits(limits)
                .guard(guard)
                .bind_now("127.0.0.1:0")
                .unwrap()
        };
        let handle = server.handle();
        let serving = runtime.spawn(async move { server.serve().await });
        assert!(runtime.block_on(handle.ready()));
        let mut load =
            Load { server: handle.clone(), peers: Vec::new(), turn: 0, asked: 0, answered: 0 };
        load.peers = (0..PEERS).map(|_| load.peer()).collect();

        let (start, mut memory) = (Instant::now(), None);
        for ms in 0..1_000 * seconds {
            load.ms();
            if ms % u64::from(1_000 / NEW_EACH_SECOND) == 0 {
                load.replace(ms as usize / 10 % PEERS);
            }
            if ms == 1_000 * warm {
                memory = Some((Memory::now(), rss()));
            }
            if ms % 60_000 == 0 {
                println!("{} s: {:?} KiB of RSS, {}", ms / 1_000, rss(), handle.stats());
            }
            std::thread::sleep(
                (start + Duration::from_millis(ms + 1)).duration_since(Instant::now()),
            );
        }

        let (memory, before) = memory.expect("it was warm");
        let (growth, after) = (memory.growth(), rss());
        let stats = handle.stats();
        println!(
            "{} s: {} asked, {} answered, {growth} bytes more after {warm} s, RSS {before:?} and {after:?} KiB, {stats}",
            seconds, load.asked, load.answered
        );
        assert!(growth < 1 << 20, "{growth} bytes more, {stats}");
        assert!(stats.active_conversations <= 2 * PEERS, "{stats}");
        assert_eq!(stats.panicked + stats.failed, 0, "{stats}");
        runtime.block_on(handle.shutdown());
        runtime.block_on(serving).unwrap().unwrap();
        let stats = handle.stats();
        assert_eq!(stats.received, stats.delivered + stats.total_dropped(), "{stats}");
    });
}
