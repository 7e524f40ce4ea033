//! Dispatch, order, the queue: section D.

use crate::support::{conversing, everywhere};

everywhere! {
    // D-1
    async fn a_datagram_of_a_silent_peer_opens_a_conversation(net) {
        let server = net.serve_text(async |text: String| text.to_uppercase()).await;
        let peer = net.peer_of(&server.control).await;

        let reply = peer.ask("hello, world.").await;

        assert_eq!(reply, "HELLO, WORLD.");
        server.stop().await;
    }

    // D-4
    async fn local_variables_live_as_long_as_the_conversation(net) {
        let server = net.serve_text(conversing!(|peer| {
            let mut sum = 0;
            loop {
                sum += peer.recv().await?.parse::<u32>()?;
                peer.send(&sum.to_string()).await?;
            }
        })).await;
        let peer = net.peer_of(&server.control).await;

        let sums = [peer.ask("1").await, peer.ask("20").await, peer.ask("300").await];

        assert_eq!(sums, ["1", "21", "321"]);
        server.stop().await;
    }
}
