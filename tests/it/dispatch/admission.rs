//! Sources that admission refuses.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
};

use datagrammar::{DropReason, PeerAddr, UdpServer};

use super::Counted;
use crate::{
    log::Log,
    support::{conversing, everywhere, until},
};

everywhere! {
    // D-18
    async fn of_a_refused_source_nothing_is_decoded_handled_or_kept(net) {
        let log = Log::capture();
        let (decoded, refused) = (Counted::default(), Arc::new(Mutex::new(HashSet::new())));
        let check = {
            let refused = Arc::clone(&refused);
            move |peer: &PeerAddr| !refused.lock().unwrap().contains(peer)
        };
        let builder = UdpServer::builder(decoded.clone(), async |text: String| text).admit(check);
        let server = net.serve(builder).await;
        let (stranger, guest) = (net.peer_of(&server.control).await, net.peer_of(&server.control).await);
        refused.lock().unwrap().insert(stranger.addr().clone());

        for _ in 0..5 {
            stranger.send("let me in").await;
        }
        assert_eq!(guest.ask("hello").await, "hello");

        let figures = || server.control.figures();
        until(|| figures().dropped(DropReason::Refused) == 5).await;
        until(|| figures().conversations == 1 && figures().peers == 0).await;
        let figures = figures();
        assert_eq!((figures.received, figures.returned, figures.conversations), (6, 1, 1));
        assert_eq!((figures.peers, figures.waiting_bytes, figures.failed), (0, 0, 0));
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
            move |peer: &PeerAddr| !refused.lock().unwrap().contains(peer)
        };
        let builder = UdpServer::builder(Counted::default(), conversing!(|peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(&text).await?;
            }
        }));
        let server = net.serve(builder.admit(check)).await;
        let (peer, guest) = (net.peer_of(&server.control).await, net.peer_of(&server.control).await);

        peer.ask("welcome").await;
        refused.lock().unwrap().insert(peer.addr().clone());
        peer.send("unwelcome").await;
        guest.ask("welcome").await;

        until(|| server.control.figures().dropped(DropReason::Refused) == 1).await;
        assert!(peer.hears_nothing().await);
        server.stop().await;
    }
}
