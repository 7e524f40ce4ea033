//! Sending while the kernel has no room.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{
    Limits, PeerSender, SendError,
    testing::{Conditions, Network},
};
use tokio::time::timeout;

use crate::{
    log::Log,
    support::{Bytes, Net, Running, conversing, until, within_deadline},
};

/// How many datagrams a server keeps while the kernel has no room.
const BACKLOG: usize = 4_096;
/// How long each of them may wait by default.
const LIMIT: Duration = Duration::from_millis(100);

/// A server in memory, the network, and one peer that it knows.
struct Scene {
    network: Network,
    server: Running,
    peer: Bytes,
    sender: PeerSender<String>,
}

impl Scene {
    /// A scene without a send timeout.
    async fn new() -> Self {
        Self::within(Limits::default().send_timeout(Duration::MAX)).await
    }

    async fn within(limits: Limits) -> Self {
        // The whole backlog leaves at once, before the peer receives, so the buffer must hold it.
        let net = Net::Memory(Network::new(1, Conditions::default().buffer(2 * BACKLOG)));
        let Net::Memory(network) = net.clone() else { unreachable!() };
        let known = Arc::new(Mutex::new(None));
        let server = net
            .serve_text_within(
                limits,
                conversing!(
                    [known] | peer | {
                        let request = peer.recv().await?;
                        known.lock().unwrap().get_or_insert_with(|| peer.sender());
                        Ok(peer.send(&request).await?)
                    }
                ),
            )
            .await;
        let peer = net.peer_of(&server.handle).await;
        assert_eq!(peer.ask("hello").await, "hello");
        let sender = known.lock().unwrap().take().unwrap();
        Self { network, server, peer, sender }
    }

    fn hold_sends(&self, held: bool) {
        self.network.hold_sends(self.server.handle.local_addrs().remove(0), held);
    }

    /// Fills the backlog of the server up to its limit, with the numbers from 0.
    async fn fill(&self) {
        self.hold_sends(true);
        for n in 0..BACKLOG {
            within_deadline(self.sender.send(&n.to_string())).await.unwrap();
        }
    }

    async fn assert_hears(&self, numbers: usize) {
        for n in 0..numbers {
            assert_eq!(self.peer.recv_text().await, n.to_string());
        }
    }
}

// S-10, S-4
#[tokio::test(start_paused = true)]
async fn without_room_replies_wait_in_order_and_reception_goes_on() {
    let scene = Scene::new().await;
    scene.hold_sends(true);
    // One conversation waits to send its reply, and the later requests wait in its queue.
    let asked = BACKLOG + 40;

    for n in 0..asked {
        scene.peer.send(n.to_string()).await;
    }
    until(|| scene.server.handle.stats().received == 1 + asked as u64).await;
    assert!(scene.peer.hears_nothing().await);
    scene.hold_sends(false);

    scene.assert_hears(asked).await;
    let stats = scene.server.handle.stats();
    assert_eq!((stats.sent, stats.send_errors), (1 + asked as u64, 0));
    scene.server.stop().await;
}

// S-10
#[tokio::test(start_paused = true)]
async fn without_room_other_peers_are_still_received() {
    let scene = Scene::new().await;
    let net = Net::Memory(scene.network.clone());
    scene.fill().await;
    scene.peer.send("one too many").await;
    let other = net.peer_of(&scene.server.handle).await;

    other.send("another").await;
    until(|| scene.server.handle.stats().delivered == 3).await;
    scene.hold_sends(false);

    assert_eq!(other.recv_text().await, "another");
    scene.assert_hears(BACKLOG).await;
    scene.server.stop().await;
}

// S-10
#[tokio::test(start_paused = true)]
async fn without_room_a_send_waits_until_there_is_some() {
    let scene = Scene::new().await;
    scene.fill().await;
    let sender = scene.sender.clone();
    let waiting = tokio::spawn(async move { sender.send(&BACKLOG.to_string()).await });
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(!waiting.is_finished());

    scene.hold_sends(false);

    within_deadline(waiting).await.unwrap().unwrap();
    scene.assert_hears(BACKLOG + 1).await;
    scene.server.stop().await;
}

// S-10
#[tokio::test(start_paused = true)]
async fn a_single_packet_that_found_no_room_leaves_when_there_is_room() {
    let scene = Scene::new().await;
    scene.hold_sends(true);
    within_deadline(scene.sender.send(&"0".to_owned())).await.unwrap();

    scene.hold_sends(false);

    scene.assert_hears(1).await;
    scene.server.stop().await;
}

// S-11
#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_while_it_waits_sends_nothing() {
    let scene = Scene::new().await;
    scene.fill().await;

    let dropped = timeout(Duration::from_secs(1), scene.sender.send(&"dropped".to_owned())).await;
    assert!(dropped.is_err());
    scene.hold_sends(false);
    scene.assert_hears(BACKLOG).await;
    scene.sender.send(&"later".to_owned()).await.unwrap();

    assert_eq!(scene.peer.recv_text().await, "later");
    assert!(scene.peer.hears_nothing().await);
    scene.server.stop().await;
}

// S-15
#[tokio::test(start_paused = true)]
async fn a_send_that_waits_returns_closed_when_serving_ends() {
    let scene = Scene::new().await;
    scene.fill().await;
    let sender = scene.sender.clone();
    let waiting = tokio::spawn(async move { sender.send(&"waiting".to_owned()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;

    scene.server.stop().await;

    let waited = within_deadline(waiting).await.unwrap();
    assert!(matches!(waited, Err(SendError::Closed)), "{waited:?}");
}

// S-10
#[tokio::test(start_paused = true)]
async fn a_datagram_that_finds_no_room_within_the_limit_is_dropped_without_delaying_the_next() {
    let (scene, log) = (Scene::within(Limits::default()).await, Log::capture());
    scene.fill().await;
    let sender = scene.sender.clone();
    let waiting = tokio::spawn(async move { sender.send(&"waiting".to_owned()).await });

    tokio::time::sleep(LIMIT * 3).await;
    let stats = scene.server.handle.stats();
    // It had to wait until the others were dropped at their limit.
    within_deadline(waiting).await.unwrap().unwrap();
    assert_eq!((stats.sent, stats.send_timeouts), (1, BACKLOG as u64 + 1));
    assert_eq!(log.alarms().len(), 1, "{:?}", log.alarms());
    scene.peer.send("in time").await;
    tokio::time::sleep(LIMIT / 2).await;
    scene.hold_sends(false);

    assert_eq!(scene.peer.recv_text().await, "in time");
    assert_eq!(scene.peer.ask("hello").await, "hello");
    assert_eq!(scene.server.handle.stats().active_conversations, 0);
    scene.server.stop().await;
}

// S-10
#[tokio::test(start_paused = true)]
async fn before_the_send_timeout_nothing_is_lost() {
    let scene = Scene::within(Limits::default()).await;
    scene.fill().await;

    tokio::time::sleep(LIMIT).await;
    scene.hold_sends(false);

    scene.assert_hears(BACKLOG).await;
    assert_eq!(scene.server.handle.stats().send_timeouts, 0);
    scene.server.stop().await;
}
