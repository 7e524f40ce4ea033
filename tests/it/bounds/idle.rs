//! Peers that stop sending.

use std::time::Duration;

use datagrammar::{Limits, RecvError};
use tokio::time::{Instant, sleep};

use crate::{
    log::Log,
    support::{Net, conversing, until},
};

// G-12
#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_sending_frees_its_place_quietly_after_a_minute() {
    let (net, log) = (Net::memory(), Log::capture());
    let server = net
        .serve_text(conversing!(|peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(&text).await?;
            }
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.ask("hello").await;
    sleep(Duration::from_secs(59)).await;
    assert_eq!(server.handle.stats().active_conversations, 1);
    sleep(Duration::from_secs(2)).await;

    let stats = server.handle.stats();
    assert_eq!((stats.active_conversations, stats.idle_timeouts, stats.conversations), (0, 1, 1));
    assert_eq!((stats.failed, stats.aborted, stats.total_dropped()), (0, 0, 0));
    assert!(log.alarms().is_empty());
    server.stop().await;
}

// G-12
#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_from_time_to_time_is_not_idle() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            for n in 0.. {
                peer.recv().await?;
                peer.send(&n.to_string()).await?;
            }
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    for n in 0..10 {
        assert_eq!(peer.ask("still here").await, n.to_string());
        sleep(Duration::from_secs(59)).await;
    }

    assert_eq!(server.handle.stats().idle_timeouts, 0);
    server.stop().await;
}

// G-12
#[tokio::test(start_paused = true)]
async fn a_handler_may_go_on_when_its_peer_is_idle() {
    let net = Net::memory();
    let server = net
        .serve_text_within(
            Limits::default().idle_timeout(Duration::from_secs(5)),
            conversing!(|peer| {
                let text = peer.recv().await?;
                peer.send(&text).await?;
                let Err(RecvError::Idle) = peer.recv().await else { panic!() };
                peer.send(&"are you still there?".to_owned()).await?;
                let text = peer.recv().await?;
                peer.send(&text).await?;
                Ok(())
            }),
        )
        .await;
    let peer = net.peer_of(&server.handle).await;
    let start = Instant::now();

    peer.ask("hello").await;
    assert_eq!(peer.recv_text().await, "are you still there?");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert_eq!(peer.ask("yes").await, "yes");

    until(|| server.handle.stats().conversations == 1).await;
    let stats = server.handle.stats();
    assert_eq!((stats.idle_timeouts, stats.failed, stats.panicked), (0, 0, 0));
    server.stop().await;
}

// G-12
#[tokio::test(start_paused = true)]
async fn without_the_limit_a_conversation_waits_for_ever() {
    let net = Net::memory();
    let server = net
        .serve_text_within(
            Limits::default().idle_timeout(None),
            conversing!(|peer| {
                loop {
                    let text = peer.recv().await?;
                    peer.send(&text).await?;
                }
            }),
        )
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.ask("hello").await;
    sleep(Duration::from_secs(365 * 24 * 3_600)).await;
    assert_eq!(server.handle.stats().active_conversations, 1);

    assert_eq!(peer.ask("a year later").await, "a year later");
    server.stop().await;
}

// G-12: the timeout of the handler elapses first if it is shorter
#[tokio::test(start_paused = true)]
async fn recv_reports_the_shorter_of_timeout_and_idle_limit() {
    let net = Net::memory();
    let server = net
        .serve_text_within(
            Limits::default().idle_timeout(Duration::from_secs(5)),
            conversing!(|peer| {
                peer.recv().await?;
                for seconds in [4, 5, 6] {
                    let start = Instant::now();
                    let received = peer.recv_timeout(Duration::from_secs(seconds)).await;
                    let error = received.unwrap_err();
                    peer.send(&format!("{error:?} after {:?}", start.elapsed())).await?;
                }
                Ok(())
            }),
        )
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("hello").await;

    for told in ["TimedOut after 4s", "TimedOut after 5s", "Idle after 5s"] {
        assert_eq!(peer.recv_text().await, told);
    }
    server.stop().await;
}
