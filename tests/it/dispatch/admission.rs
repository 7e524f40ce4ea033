//! Sources that the source filter refuses.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
};

use datagrammar::{Addr, DropReason, Server};

use super::Counted;
use crate::{
    log::Log,
    support::{conversing, everywhere, until},
};

everywhere! {
    // D-18
    async fn datagrams_of_a_refused_source_are_not_decoded_handled_or_kept(net) {
        let log = Log::capture();
        let (decoded, refused) = (Counted::default(), Arc::new(Mutex::new(HashSet::new())));
        let check = {
            let refused = Arc::clone(&refused);
            move |peer: &Addr| !refused.lock().unwrap().contains(peer)
        };
        let builder = Server::builder(decoded.clone(), async |text: String| text).source_filter(check);
        let server = net.serve(builder).await;
        let (stranger, guest) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
        refused.lock().unwrap().insert(stranger.addr().clone());

        for _ in 0..5 {
            stranger.send("let me in").await;
        }
        assert_eq!(guest.ask("hello").await, "hello");

        let stats = || server.handle.stats();
        until(|| stats().dropped(DropReason::Refused) == 5).await;
        until(|| stats().conversations == 1 && stats().active_conversations == 0).await;
        let stats = stats();
        assert_eq!((stats.received, stats.delivered, stats.conversations), (6, 1, 1));
        assert_eq!((stats.active_conversations, stats.queued_bytes, stats.failed), (0, 0, 0));
        assert_eq!(decoded.0.load(SeqCst), 1);
        assert!(stranger.hears_nothing().await);
        assert!(log.alarms().is_empty());
        server.stop().await;
    }

    // D-18
    async fn a_peer_may_be_refused_in_the_middle_of_its_conversation(net) {
        let refused = Arc::new(Mutex::new(HashSet::new()));
        let check = {
            let refused = Arc::clone(&refused);
            move |peer: &Addr| !refused.lock().unwrap().contains(peer)
        };
        let builder = Server::builder(Counted::default(), conversing!(|peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(&text).await?;
            }
        }));
        let server = net.serve(builder.source_filter(check)).await;
        let (peer, guest) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        peer.ask("welcome").await;
        refused.lock().unwrap().insert(peer.addr().clone());
        peer.send("unwelcome").await;
        guest.ask("welcome").await;

        until(|| server.handle.stats().dropped(DropReason::Refused) == 1).await;
        assert!(peer.hears_nothing().await);
        server.stop().await;
    }
}
