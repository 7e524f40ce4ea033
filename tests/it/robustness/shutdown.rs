//! Row 15: shutdowns at random moments, under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{ClientRecvError, Limits, ServerHandle};
use fastrand::Rng;
use tokio::{
    task::{JoinSet, yield_now},
    time::sleep,
};

use super::times;
use crate::support::{Bytes, Net, conversing, until, within_deadline};

/// What became of the requests that handlers have received.
#[derive(Clone, Debug, Default)]
struct Fates(Arc<[AtomicU64; 3]>);

impl Fates {
    fn count(&self, fate: usize) {
        self.0[fate].fetch_add(1, Relaxed);
    }

    fn get(&self) -> [u64; 3] {
        [0, 1, 2].map(|fate: usize| self.0[fate].load(Relaxed))
    }
}

const RECEIVED: usize = 0;
const ANSWERED: usize = 1;
/// The handler was dropped before it has answered.
const ABORTED: usize = 2;

/// A request that is in work until it is dropped.
struct Working<'a> {
    fates: &'a Fates,
    fate: usize,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.fates.count(self.fate);
    }
}

/// Sends a request after the other until the server is gone; returns how many replies it has got.
async fn load(peer: Bytes, mut rng: Rng, handle: ServerHandle) -> u64 {
    let mut replies = 0;
    while handle.is_serving() {
        for _ in 0..rng.u8(1..8) {
            // The last ones may be refused, when the server's socket is closed.
            let _ = peer.0.send(&["now", "turn", "soon", "late"][rng.usize(..4)].into()).await;
        }
        while peer.0.recv_timeout(Duration::from_millis(1)).await.is_ok() {
            replies += 1;
        }
    }
    loop {
        match peer.0.recv_timeout(Duration::from_millis(20)).await {
            Ok(_) => replies += 1,
            Err(ClientRecvError::TimedOut) => return replies,
            Err(_) => {} // what was refused
        }
    }
}

/// Starts a server, sends to it from several peers, and shuts it down after some datagrams.
async fn one(net: Net, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let fates = Fates::default();
    let grace = Duration::from_millis([0, 1, 5, 20][rng.usize(..4)]);
    let limits = Limits::default().max_queue_len(20).shutdown_grace(grace);
    let handler = conversing!(
        [fates] | peer | {
            loop {
                let text = peer.recv().await?;
                fates.count(RECEIVED);
                let mut working = Working { fates: &fates, fate: ABORTED };
                match &*text {
                    "turn" => yield_now().await,
                    "soon" => sleep(Duration::from_millis(1)).await,
                    "late" => sleep(Duration::from_millis(10)).await,
                    _ => {}
                }
                peer.send(&text).await?;
                working.fate = ANSWERED;
                if text == "turn" {
                    return Ok(());
                }
            }
        }
    );
    let server = net.serve_text_within(limits, handler).await;
    let mut peers = JoinSet::new();
    for _ in 0..4 {
        let peer = net.peer_of(&server.handle).await;
        peers.spawn(load(peer, rng.fork(), server.handle.clone()));
    }
    let moment = rng.u64(1..200);
    until(|| server.handle.stats().received >= moment).await;

    let handle = server.handle.clone();
    server.stop().await;

    let replies: u64 = within_deadline(peers.join_all()).await.into_iter().sum();
    let (stats, [received, answered, aborted]) = (handle.stats(), fates.get());
    let books = format!("seed {seed}: {received} received, {answered} answered, {stats}");
    assert_eq!(stats.received, stats.delivered + stats.total_dropped(), "{books}");
    assert_eq!((stats.delivered, received), (received, answered + aborted), "{books}");
    assert_eq!((stats.active_conversations, stats.queued_bytes), (0, 0), "{books}");
    assert!(stats.sent >= answered, "{books}");
    assert_eq!(replies, stats.sent, "{books}");
}

// L-11, L-12, G-9
#[test]
fn under_load_a_shutdown_never_hangs_and_each_request_is_answered_or_counted() {
    let shutdowns = times("DATAGRAMMAR_SHUTDOWNS", 50);
    for seed in 0..shutdowns / 2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(one(Net::memory(), seed));
    }
    for seed in 0..shutdowns / 2 {
        let net = [Net::Loopback("127.0.0.1"), Net::Workers("::1"), Net::Threads("127.0.0.1")];
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(one(net[seed as usize % 3].clone(), seed));
    }
}
