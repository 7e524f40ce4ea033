//! Row 12: one of a hundred calls of a handler panics.

use std::panic::resume_unwind;

use datagrammar::{Limits, Server, Text};
use fastrand::Rng;
use tokio::task::yield_now;

use super::times;
use crate::{
    alone::{Memory, alone, paused},
    support::{Bytes, Net, Running, client_on, conversing, until},
};

const PEERS: usize = 100;

/// Each answers with the number of the packet in its conversation, or panics as it is asked to: before it has awaited
/// anything, or after.
async fn serve(net: &Net) -> Running {
    let handler = conversing!(|peer| {
        let mut count = 0_u64;
        loop {
            match &*peer.recv().await? {
                "panic" => resume_unwind(Box::new("as it was asked to")),
                "wait and panic" => {
                    yield_now().await;
                    resume_unwind(Box::new("as it was asked to"))
                }
                "wait" => yield_now().await,
                _ => {}
            }
            count += 1;
            peer.send(count.to_string()).await?;
        }
    });
    let limits = Limits::default().max_conversations(PEERS);
    net.serve(Server::builder(Text, handler).limits(limits)).await
}

/// A peer, and how many answers it has got in its conversation.
struct Asking(Bytes, u64);

/// Each peer sends one packet; returns how many were told to panic.
async fn round(peers: &mut [Asking], rng: &mut Rng) -> u64 {
    let mut panics = 0;
    let mut waiting = Vec::new();
    for (n, Asking(peer, count)) in peers.iter_mut().enumerate() {
        if rng.u8(..100) == 0 {
            peer.send(["panic", "wait and panic"][rng.usize(..2)]).await;
            (panics, *count) = (panics + 1, 0);
        } else {
            peer.send(["hello", "wait"][rng.usize(..2)]).await;
            *count += 1;
            waiting.push(n);
        }
    }
    for n in waiting {
        let Asking(peer, count) = &peers[n];
        assert_eq!(peer.recv_text().await, count.to_string(), "another conversation has ended");
    }
    panics
}

// H-4, G-4, G-7
#[test]
fn a_panic_ends_one_conversation_and_keeps_no_memory() {
    alone(|| {
        let rounds = times("DATAGRAMMAR_CALLS", 20_000) / PEERS as u64;
        paused(async {
            let net = Net::memory();
            let Net::Memory(network) = &net else { unreachable!() };
            let server = serve(&net).await;
            let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
            let mut peers: Vec<_> = (0..PEERS)
                .map(|n| network.connect(("10.0.0.2", 1 + n as u16), addr).unwrap())
                .map(|socket| Asking(Bytes(client_on(socket, datagrammar::Raw).unwrap()), 0))
                .collect();
            let (mut rng, mut panics) = (Rng::with_seed(12), 0);
            for _ in 0..20 {
                panics += round(&mut peers, &mut rng).await;
            }
            let memory = Memory::now();

            for _ in 20..rounds {
                panics += round(&mut peers, &mut rng).await;
            }

            until(|| server.handle.stats().panicked == panics).await;
            let stats = server.handle.stats();
            assert_eq!(stats.received, rounds * PEERS as u64);
            assert_eq!((stats.delivered, stats.total_dropped()), (stats.received, 0));
            assert_eq!(stats.sent, stats.received - panics);
            let growth = memory.growth();
            println!("{panics} panics in {} calls, {growth} bytes more", stats.received);
            assert!(panics > rounds / 2 && growth < 64 << 10, "{panics} panics, {growth} bytes");
            server.stop().await;
        });
    });
}
