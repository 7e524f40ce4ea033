//! H-11, H-12: no peer can flood the log.

use std::{io, time::Duration};

use datagrammar::Limits;
use tokio::time::sleep;
use tracing::Level;

use super::{serve, settle};
use crate::{
    log::{Log, Told},
    support::{Net, conversing},
};

const FAILURES: u64 = 10_000;

/// The number of suppressed events according to the logged events.
fn suppressed(told: &[Told]) -> u64 {
    told.iter().filter_map(|told| told.field("suppressed").parse::<u64>().ok()).sum()
}

fn of_peers(told: &[Told]) -> u64 {
    told.iter().filter(|told| told.fields.contains_key("peer")).count() as u64
}

// H-11, H-12
#[tokio::test(start_paused = true)]
async fn for_ten_thousand_failures_in_a_second_ten_events_are_logged_and_the_rest_is_reported_at_the_end()
 {
    let log = Log::capture();
    let (server, peer) = serve(failing()).await;
    let handle = server.handle.clone();

    for _ in 0..FAILURES / 100 {
        for _ in 0..100 {
            peer.send("fail").await;
        }
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(of_peers(&log.alarms()), 10);
    server.stop().await;

    let (alarms, stats) = (log.alarms(), handle.stats());
    assert_eq!((stats.failed, stats.suppressed_events), (FAILURES, FAILURES - 10));
    assert_eq!(of_peers(&alarms), 10);
    assert_eq!(suppressed(&alarms), FAILURES - 10);
    assert_eq!(alarms.last().unwrap().level, Level::ERROR);
}

// H-12
#[tokio::test(start_paused = true)]
async fn the_first_event_after_a_suppression_reports_how_many_were_suppressed() {
    let log = Log::capture();
    let (server, peer) = serve(failing()).await;
    for _ in 0..15 {
        peer.send("fail").await;
    }
    sleep(Duration::from_secs(1)).await;

    peer.send("fail").await;
    peer.send("fail").await;
    settle().await;

    let alarms = log.alarms();
    assert_eq!(alarms.len(), 12);
    assert!(alarms[..10].iter().all(|told| !told.fields.contains_key("suppressed")));
    assert_eq!(alarms[10].field("suppressed"), "5");
    assert!(!alarms[11].fields.contains_key("suppressed"));
    server.stop().await;
    assert_eq!(log.alarms().len(), 12);
}

// H-11
#[tokio::test(start_paused = true)]
async fn each_level_has_its_own_limit_which_can_be_set() {
    let log = Log::capture();
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let handler = conversing!(|peer| {
        let request = peer.recv().await?;
        if request == "fail" {
            return Err("no such thing".into());
        }
        Ok(peer.send(&request).await?)
    });
    let server = net.serve_text_within(Limits::default().max_events_per_second(2), handler).await;
    let peer = net.peer_of(&server.handle).await;
    let refused = io::ErrorKind::PermissionDenied;
    network.fail_send(server.handle.local_addrs()[0].clone(), refused, 3);

    for request in ["lost", "fail", "fail", "fail", "lost", "lost"] {
        peer.send(request).await;
    }
    settle().await;

    assert_eq!((log.at(Level::ERROR).len(), log.at(Level::WARN).len()), (2, 2));
    assert_eq!(server.handle.stats().suppressed_events, 2);
    server.stop().await;
    assert_eq!(suppressed(&log.at(Level::ERROR)), 1);
    assert_eq!(suppressed(&log.at(Level::WARN)), 1);
}

// H-12
#[tokio::test(start_paused = true)]
async fn suppressed_events_are_reported_when_the_serve_future_is_dropped() {
    let log = Log::capture();
    let (server, peer) = serve(failing()).await;
    for _ in 0..15 {
        peer.send("fail").await;
    }
    settle().await;

    server.serving.abort();
    assert!(server.serving.await.unwrap_err().is_cancelled());

    assert_eq!(suppressed(&log.alarms()), 5);
}

// H-12
#[tokio::test(start_paused = true)]
async fn without_suppressed_events_nothing_about_suppression_is_logged() {
    let log = Log::capture();
    let (server, peer) = serve(failing()).await;

    for _ in 0..10 {
        peer.send("fail").await;
    }
    settle().await;
    server.stop().await;

    assert_eq!(log.alarms().len(), 10);
    assert_eq!(suppressed(&log.alarms()), 0);
}

fn failing() -> impl datagrammar::Handler<String, String> {
    conversing!(|peer| {
        peer.recv().await?;
        Err("no such thing".into())
    })
}
