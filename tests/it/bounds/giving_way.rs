//! A conversation that never waits still yields the thread to other tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use datagrammar::{Limits, RecvError, Server, ServerHandle, Text};
use tokio::time::timeout;

use crate::support::{Bytes, Net, Running, conversing, everywhere, within_deadline};

/// After this many rounds a loop ends by itself, so that the test fails instead of hanging if the loop
/// never yields.
const ENOUGH: u32 = 300_000;

/// Counts the rounds of a loop that must not reach `ENOUGH`.
#[derive(Clone, Default)]
struct Rounds(Arc<AtomicU32>);

impl Rounds {
    fn next(&self) -> bool {
        self.0.fetch_add(1, SeqCst) < ENOUGH
    }

    fn ended(&self) -> bool {
        self.0.load(SeqCst) >= ENOUGH
    }
}

/// A server that aborts running conversations at shutdown.
async fn serve(net: &Net, handler: impl datagrammar::Handler<String, String>) -> Running {
    let limits = Limits::default().shutdown_grace(Duration::ZERO);
    net.serve(Server::builder(Text, handler).limits(limits)).await
}

/// Asserts that another peer is answered and serving ends, while the loop that `peer` has started runs.
async fn assert_gives_way(net: &Net, server: Running, peer: &Bytes, rounds: &Rounds) {
    peer.send("loop").await;
    let other = net.peer_of(&server.handle).await;
    assert_eq!(other.ask("hello").await, "hello");
    assert!(!rounds.ended());
    let handle: ServerHandle = server.handle.clone();
    server.stop().await;
    assert!(!rounds.ended());
    assert_eq!(handle.stats().active_conversations, 0);
}

everywhere! {
    // G-11, L-9, L-11
    async fn a_conversation_that_only_sends(net) {
        let rounds = Rounds::default();
        let server = serve(&net, conversing!(
            [rounds] | peer | {
                let request = peer.recv().await?;
                while request == "loop" && rounds.next() {
                    peer.send(&request).await?;
                }
                Ok(peer.send(&request).await?)
            }
        )).await;
        let peer = net.peer_of(&server.handle).await;

        assert_gives_way(&net, server, &peer, &rounds).await;
    }

    // G-11, L-9, L-11
    async fn a_conversation_that_polls_recv_in_a_loop(net) {
        let rounds = Rounds::default();
        let server = serve(&net, conversing!(
            [rounds] | peer | {
                let request = peer.recv().await?;
                while request == "loop" && rounds.next() {
                    let nothing = peer.recv_timeout(Duration::ZERO).await;
                    if matches!(nothing, Err(RecvError::Closed)) {
                        return Ok(());
                    }
                }
                Ok(peer.send(&request).await?)
            }
        )).await;
        let peer = net.peer_of(&server.handle).await;

        assert_gives_way(&net, server, &peer, &rounds).await;
    }

    // G-11, L-9
    async fn a_task_that_sends_without_a_pause(net) {
        let rounds = Rounds::default();
        let server = serve(&net, conversing!(
            [rounds] | peer | {
                let request = peer.recv().await?;
                if request == "loop" {
                    let sender = peer.sender();
                    tokio::spawn(async move {
                        while rounds.next() && sender.send(&request).await.is_ok() {}
                    });
                    return Ok(());
                }
                Ok(peer.send(&request).await?)
            }
        )).await;
        let peer = net.peer_of(&server.handle).await;

        assert_gives_way(&net, server, &peer, &rounds).await;
    }

    // G-11
    async fn a_conversation_that_answers_all_others(net) {
        // Each request gets many replies, so one batch causes more replies than one turn allows.
        let server = serve(&net, conversing!(|peer| {
            let request = peer.recv().await?;
            for _ in 0..1_000 {
                peer.send(&request).await?;
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..10 {
            peer.send(n.to_string()).await;
        }

        let sent = || server.handle.stats().sent;
        let mut most = 0;
        within_deadline(async {
            while sent() < 10_000 {
                let before = sent();
                tokio::task::yield_now().await;
                most = most.max(sent() - before);
                if !net.loses() {
                    while timeout(Duration::ZERO, peer.recv()).await.is_ok() {}
                }
            }
        }).await;
        if matches!(net, Net::Memory(_)) {
            assert!(most < 4_096, "{most} replies at a time");
        }
        server.stop().await;
    }
}
