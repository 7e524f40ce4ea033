//! Duplicates of the packet before.

use datagrammar::{Duplicates, PeerExchangeError, Repeat};

use super::*;
use crate::support::{conversing, everywhere};

everywhere! {
    //
    async fn duplicates_of_the_packet_before_are_skipped_and_cause_no_repetition(net) {
        let server = net
            .serve_text(conversing!(|peer| {
                peer.detect_duplicates();
                assert_eq!(peer.recv().await?, "hello");
                assert_eq!(peer.exchange(text("one")).await?, "got one");
                assert_eq!(peer.exchange(text("two")).await?, "got two");
                peer.send(text("end")).await?;
                Ok(())
            }))
            .await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("hello").await;
        assert_eq!(peer.recv_text().await, "one");
        for _ in 0..3 {
            peer.send("hello").await;
        }
        peer.send("got one").await;
        assert_eq!(peer.recv_text().await, "two");
        for _ in 0..3 {
            peer.send("got one").await;
        }
        peer.send("got two").await;
        assert_eq!(peer.recv_text().await, "end");

        assert_eq!(server.handle.stats().delivered, 9);
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn the_packet_before_the_first_request_is_known_after_other_waits() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            peer.detect_duplicates();
            assert_eq!(peer.recv().await?, "hello");
            tokio::time::sleep(SECOND).await;
            assert_eq!(peer.exchange(text("one")).await?, "got one");
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("hello").await;
    peer.send("hello").await;
    assert_eq!(peer.recv_text().await, "one");
    peer.send("hello").await;
    assert_near(&times(&peer, Instant::now(), "one", 1).await, &[1.0]);

    peer.send("got one").await;
    finished(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn duplicates_are_answered_if_that_was_asked_for() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            peer.detect_duplicates();
            peer.recv().await?;
            let repeat = Repeat::default().duplicates(Duplicates::Answer).max_attempts(2);
            assert_eq!(peer.exchange_with(text("one"), &repeat).await?, "got one");
            let error = peer.exchange_with(text("two"), &repeat).await.unwrap_err();
            assert!(matches!(error, PeerExchangeError::TimedOut { attempts: 3, .. }), "{error:?}");
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;
    let began = Instant::now();

    peer.send("hello").await;
    for n in 0..3 {
        assert_eq!(times(&peer, began, "one", 1).await, [f64::from(n) / 10.0]);
        tokio::time::sleep(ms(100)).await;
        peer.send(if n < 2 { "hello" } else { "got one" }).await;
    }
    // There was no sample, so the first timer is still 1 s. The answer to a duplicate does not change it.
    let began = Instant::now();
    times(&peer, began, "two", 1).await;
    tokio::time::sleep(ms(500)).await;
    peer.send("got one").await;
    assert_near(&times(&peer, began, "two", 2).await, &[0.5, 1.0]);
    finished(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn equal_packets_are_accepted_if_that_was_asked_for() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            peer.detect_duplicates();
            let repeat = Repeat::default().duplicates(Duplicates::Accept);
            assert_eq!(peer.recv().await?, "yes");
            assert_eq!(peer.exchange_with(text("one"), &repeat).await?, "yes");
            assert_eq!(peer.exchange_with(text("two"), &repeat).await?, "yes");
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("yes").await, "one");
    assert_eq!(peer.ask("yes").await, "two");
    peer.send("yes").await;
    finished(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn the_packet_before_may_be_one_that_was_put_back_or_received_without_a_request() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            if peer.recv().await? == "hello" {
                assert_eq!(peer.exchange(text("one")).await?, "got one");
                assert_eq!(peer.recv().await?, "more");
                let other = peer.exchange(text("two")).await?;
                peer.put_back(other);
                return Ok(());
            }
            assert_eq!(peer.exchange(text("three")).await?, "got three");
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("hello").await, "one");
    peer.send("got one").await;
    assert_eq!(peer.ask("more").await, "two");
    peer.send("more").await;
    assert_eq!(peer.ask("other").await, "three");
    peer.send("other").await;
    assert_near(&times(&peer, Instant::now(), "three", 1).await, &[1.0]);
    peer.send("got three").await;
    finished(server).await;
}
