//! Replies that leave as segments of one message (GSO): the peer sees no difference.

use crate::support::{conversing, everywhere};

everywhere! {
    // S-12, S-4, D-17
    async fn replies_of_one_length_arrive_as_separate_datagrams(net) {
        let server = net.serve_text(conversing!(|peer| {
            let wanted = peer.recv().await?;
            for n in 0..150 {
                peer.send(&format!("{wanted} {n:03}")).await?;
            }
            peer.send(&"last".to_owned()).await?;
            peer.send(&String::new()).await?;
            Ok(peer.send(&"longer than the last".to_owned()).await?)
        })).await;
        let (one, other) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        one.send("one").await;
        other.send("other").await;

        for (peer, name) in [(one, "one"), (other, "other")] {
            for n in 0..150 {
                assert_eq!(peer.recv_text().await, format!("{name} {n:03}"));
            }
            for text in ["last", "", "longer than the last"] {
                assert_eq!(peer.recv_text().await, text);
            }
        }
        server.stop().await;
    }
}
