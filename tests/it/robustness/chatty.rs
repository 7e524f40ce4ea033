//! Row 8: one peer that sends without a pause, beside a hundred quiet ones.

use std::time::Duration;

use datagrammar::{DropReason, Limits};
use tokio::time::{Instant, sleep, sleep_until};

use super::times;
use crate::support::{Bytes, Net, Running, client_on, conversing, until};

const QUIET: usize = 100;

/// Serves conversations that take `work` for each packet, and counts the answers to the quiet peers: `rounds` packets
/// each, ten a second. Returns it with the number of datagrams that the chatty peer has sent meanwhile, 100 each ms.
async fn answered(work: Duration, limits: Limits, rounds: u64) -> (u64, u64, Running) {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net
        .serve_text_within(
            limits,
            conversing!(|peer| {
                loop {
                    let text = peer.recv().await?;
                    sleep(work).await;
                    peer.send(&text).await?;
                }
            }),
        )
        .await;
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    let peer = |n: usize| {
        let socket = network.connect(("10.0.0.2", 1 + n as u16), addr).unwrap();
        Bytes(client_on(socket, datagrammar::Raw).unwrap())
    };
    let (chatty, quiet) = (peer(0), (1..=QUIET).map(peer).collect::<Vec<_>>());

    let (start, mut answered, mut sent) = (Instant::now(), 0, 0);
    for ms in 0..100 * rounds {
        for _ in 0..100 {
            chatty.send("a datagram of a chatty peer").await;
            sent += 1;
        }
        // In each ms another quiet peer, so that each sends every 100 ms.
        let quiet = &quiet[ms as usize % QUIET];
        while quiet.0.recv_timeout(Duration::ZERO).await.is_ok() {
            answered += 1;
        }
        quiet.send("hello").await;
        sleep_until(start + Duration::from_millis(ms + 1)).await;
    }
    sleep(Duration::from_secs(1)).await;
    for quiet in &quiet {
        while quiet.0.recv_timeout(Duration::ZERO).await.is_ok() {
            answered += 1;
        }
    }
    (answered, sent, server)
}

// G-2, G-5: 100,000 datagrams a second of one peer, each of which takes 1 ms
#[tokio::test(start_paused = true)]
async fn beside_a_chatty_peer_all_quiet_ones_are_answered() {
    let rounds = times("DATAGRAMMAR_ROUNDS", 3);
    let work = Duration::from_millis(1);

    let (answered, sent, server) = answered(work, Limits::default(), rounds).await;

    let stats = server.handle.stats();
    assert_eq!(answered, rounds * QUIET as u64, "{stats}");
    // The queue of the chatty peer is full, and nobody else's.
    assert_eq!(stats.received, sent + answered);
    let full = stats.dropped(DropReason::QueueFull);
    assert!(full > sent / 2 && stats.total_dropped() == full, "{stats}");
    server.stop().await;
}

// G-2: the twin that must fail: with room for one peer only, the chatty one takes it from the others
#[tokio::test(start_paused = true)]
async fn a_total_that_one_peer_can_fill_is_taken_from_the_quiet_ones() {
    let limits = Limits::default().max_total_queue_bytes(100_000);

    let (answered, _, server) = answered(Duration::from_millis(1), limits, 3).await;

    let stats = server.handle.stats();
    assert!(answered < 3 * QUIET as u64 / 2, "{answered}, {stats}");
    until(|| server.handle.stats().dropped(DropReason::MemoryLimit) > 0).await;
    server.stop().await;
}
