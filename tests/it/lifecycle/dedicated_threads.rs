//! D-12 for workers on dedicated threads: bursts that arrive while the thread starts, waits or works.

use std::{net::UdpSocket, sync::Arc};

use datagrammar::{DropReason, Limits, Server, Text};

use super::{TestServer, echo};
use crate::support::until;

const ROUNDS: usize = 50;
/// Other systems do not report how many datagrams found the buffer of the socket full, so there all must fit.
const BURST: u64 =
    if cfg!(all(target_os = "linux", not(datagrammar_portable))) { 1_000 } else { 250 };
const PEERS: usize = 8;

/// Sends a burst, in turn from several peers.
fn burst(peers: &[UdpSocket]) {
    for (_, peer) in (0..BURST).zip(peers.iter().cycle()) {
        peer.send(b"hello").unwrap();
    }
}

/// Sends to new servers one burst before they serve, and one as soon as they serve. Then it waits until each
/// datagram was handled or dropped, without sending another one.
async fn meet_bursts(threads: &str) {
    for round in 0..ROUNDS {
        let limits = Limits::default().max_queue_len(if round % 2 == 0 { 64 } else { 1_000 });
        let builder = Server::builder(Text, echo).limits(limits);
        let server = builder.dedicated_threads(true).bind("127.0.0.1:0").await.unwrap();
        let addr = server.local_addr();
        let server = TestServer { handle: server.handle(), server: Arc::new(server) };
        let peers = [(); PEERS].map(|()| {
            let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
            peer.connect(&addr).unwrap();
            peer
        });

        let mut sent = 0;
        for early in [true, false] {
            if early {
                burst(&peers);
            }
            let serving = server.serve().await;
            if !early {
                burst(&peers);
            }
            sent += BURST;
            let stats = || server.handle.stats();
            until(|| stats().received + stats().dropped(DropReason::Kernel) >= sent).await;
            until(|| stats().delivered + stats().total_dropped() == stats().received).await;
            until(|| stats().sent == stats().delivered && stats().active_conversations == 0).await;
            server.stop(serving).await;
        }
        assert!(server.handle.stats().sent > 0, "{threads}, round {round}");
    }
}

// D-12, G-9
#[tokio::test]
async fn no_burst_is_forgotten_with_a_runtime_of_one_thread() {
    meet_bursts("one thread").await;
}

// D-12, G-9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_burst_is_forgotten_with_a_runtime_of_several_threads() {
    meet_bursts("two threads").await;
}
