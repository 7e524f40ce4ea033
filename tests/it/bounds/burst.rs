//! Bursts that one peer sends to one conversation.

use datagrammar::{DropReason, Server, Text};
use tokio::task::yield_now;

use crate::support::{Gate, Net, conversing, everywhere, until};

/// The datagrams that a peer sends at once.
fn burst(datagrams: usize) -> impl Iterator<Item = String> {
    (0..datagrams).map(|n| format!("{n:032}"))
}

everywhere! {
    // G-2
    async fn a_burst_of_a_thousand_is_answered_by_a_function_that_awaits_something(net) {
        let server = net.serve(Server::builder(Text, async |text: String| {
            yield_now().await;
            text
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send_all(burst(1_000)).await;

        // A kernel with a small buffer may have dropped some before we received them.
        let stats = || server.handle.stats();
        until(|| stats().received + stats().dropped(DropReason::Kernel) == 1_000).await;
        until(|| stats().sent == stats().received).await;
        assert_eq!((stats().delivered, stats().total_dropped()), (stats().received, 0));
        server.stop().await;
    }
}

// G-2
#[tokio::test(start_paused = true)]
async fn a_queue_holds_1024_datagrams_unless_another_bound_is_set() {
    let (net, gate) = (Net::memory(), Gate::closed());
    let server = net
        .serve_text(conversing!(
            [gate] | peer | {
                gate.pass().await;
                loop {
                    let text = peer.recv().await?;
                    peer.send(&text).await?;
                }
            }
        ))
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send_all(burst(1_101)).await;
    until(|| server.handle.stats().dropped(DropReason::QueueFull) == 76).await;
    gate.open();

    for text in burst(1_025) {
        assert_eq!(peer.recv_text().await, text);
    }
    assert!(peer.hears_nothing().await);
    server.stop().await;
}
