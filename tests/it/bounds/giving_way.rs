//! A conversation that never waits leaves the thread to the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use datagrammar::{Limits, RecvError, Server, ServerHandle, Text};

use crate::support::{Bytes, Net, Running, conversing, everywhere, within_deadline};

/// After so many rounds a loop that never gives way ends by itself, so that its test fails instead of
/// staying in it.
const ENOUGH: u32 = 300_000;

/// Rounds of a loop that should not come to its end.
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

/// A server that cuts what runs when it is asked to end.
async fn serve(net: &Net, handler: impl datagrammar::Handler<String, String>) -> Running {
    let limits = Limits::default().shutdown_grace(Duration::ZERO);
    net.serve(Server::builder(Text, handler).limits(limits)).await
}

/// Another peer is answered and serving ends, while the loop that `peer` has begun goes on.
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
    async fn a_conversation_that_asks_for_what_is_there_again_and_again(net) {
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
    async fn a_task_that_pushes_without_a_pause(net) {
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
        // Each request is answered many times: what one batch asks for is more than one turn gives.
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
            }
        }).await;
        if matches!(net, Net::Memory(_)) {
            assert!(most < 4_096, "{most} replies at a time");
        }
        server.stop().await;
    }
}
