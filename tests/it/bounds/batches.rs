//! How many datagrams are received together.

use datagrammar::{Server, Text};

use crate::support::{BindNow, Running, everywhere, until};

everywhere! {
    async fn a_batch_is_counted_once_by_its_size(net) {
        let builder = Server::builder(Text, async |text: String| text);
        let server = builder.bind_now(net.socket()).unwrap();
        let peer = net.peer_of(&server.handle()).await;
        for n in 0..6 {
            peer.send(n.to_string()).await;
        }

        let server = Running::start(server).await;
        until(|| server.handle.stats().received == 6).await;
        for _ in 0..6 {
            peer.recv().await;
        }
        peer.ask("alone").await;

        let batches = server.handle.stats().batches;
        assert_eq!(batches.to_string(), "1: 1, 5–8: 1");
        server.stop().await;
    }
}
