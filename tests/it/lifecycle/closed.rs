//! Conversations that do not wait in `recv` can wait for the end of serving.

use std::future::pending;

use datagrammar::Limits;
use tokio::time::Duration;

use crate::support::{conversing, everywhere, until, within_deadline};

everywhere! {
    // R-16, L-10
    async fn a_conversation_that_waits_for_closed_can_send_a_last_packet(net) {
        // A conversation that misses the end of serving runs until the deadline of the test.
        let limits = Limits::default().shutdown_grace(Duration::from_secs(3_600));
        let server = net.serve_text_within(limits, conversing!(|peer| {
            let text = peer.recv().await?;
            peer.send(&text).await?;
            tokio::select! {
                () = peer.closed() => {}
                () = pending() => {}
            }
            peer.send(&"goodbye".to_owned()).await?;
            // From now on it completes at once.
            peer.closed().await;
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("hello").await;
        until(|| server.handle.stats().active_conversations == 1).await;

        let handle = server.handle.clone();
        within_deadline(server.stop()).await;

        assert_eq!(peer.recv_text().await, "goodbye");
        assert_eq!((handle.stats().aborted, handle.stats().conversations), (0, 1));
    }
}
