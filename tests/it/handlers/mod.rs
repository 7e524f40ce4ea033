//! Handlers: their errors, their panics, their context. Section H, without logging.

mod concurrent;
mod context;
mod forms;
mod functions;
mod panics;
mod tagged;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use datagrammar::{BoxError, DropReason, Handler, Peer, ServerHandle};
use tokio::task::yield_now;

use crate::support::{Bytes, Net, conversing, everywhere, until};

everywhere! {
    // H-1
    async fn an_error_ends_its_conversation_without_a_reply(net) {
        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            if request == "fail" {
                return Err("no such thing".into());
            }
            Ok(peer.send(&request).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("fail").await;
        let first_reply = peer.ask("work").await;

        assert_eq!(first_reply, "work");
        assert_eq!(server.handle.stats().failed, 1);
        server.stop().await;
    }

    // H-19
    async fn a_returned_decode_error_ends_its_conversation_without_a_reply(net) {
        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            Ok(peer.send(&request).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send(b"\xe9").await;
        let first_reply = peer.ask("text").await;

        assert_eq!(first_reply, "text");
        let stats = server.handle.stats();
        assert_eq!((stats.failed, stats.decode_errors), (0, 1));
        server.stop().await;
    }

    // H-1
    async fn an_error_after_waiting_ends_no_other_conversation(net) {
        let server = net.serve_text(conversing!(|peer| {
            loop {
                let request = peer.recv().await?;
                if request == "fail" {
                    return Err("no such thing".into());
                }
                peer.send(&request).await?;
            }
        })).await;
        let (peer, other) = two_peers(&net, &server.handle).await;
        peer.ask("begin").await;
        other.ask("begin").await;

        peer.send("fail").await;
        until(|| server.handle.stats().failed == 1).await;

        assert_eq!(other.ask("go on").await, "go on");
        assert_eq!(server.handle.stats().conversations, 1);
        server.stop().await;
    }

    // H-2
    async fn an_error_before_the_first_recv_discards_the_opening_datagram(net) {
        let server = net.serve_text(FailsFirst::before(false)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("discarded").await;
        let first_reply = peer.ask("served").await;

        assert_eq!(first_reply, "served");
        let stats = server.handle.stats();
        assert_eq!((stats.failed, stats.dropped(DropReason::Unread)), (1, 1));
        server.stop().await;
    }

    // H-2
    async fn an_error_after_waiting_but_before_the_first_recv_discards_the_opening_datagram(net) {
        let server = net.serve_text(FailsFirst::before(true)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("discarded").await;
        let first_reply = peer.ask("served").await;

        assert_eq!(first_reply, "served");
        let stats = server.handle.stats();
        assert_eq!((stats.failed, stats.dropped(DropReason::Unread)), (1, 1));
        server.stop().await;
    }
}

/// Fails in its first conversation before it receives, and echoes in all others.
struct FailsFirst {
    waits: bool,
    conversations: AtomicUsize,
}

impl FailsFirst {
    fn before(waits: bool) -> Self {
        Self { waits, conversations: AtomicUsize::new(0) }
    }
}

impl Handler<String, String> for FailsFirst {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        if self.waits {
            yield_now().await;
        }
        if self.conversations.fetch_add(1, Relaxed) == 0 {
            return Err("not yet".into());
        }
        let request = peer.recv().await?;
        Ok(peer.send(&request).await?)
    }
}

async fn two_peers(net: &Net, handle: &ServerHandle) -> (Bytes, Bytes) {
    (net.peer_of(handle).await, net.peer_of(handle).await)
}
