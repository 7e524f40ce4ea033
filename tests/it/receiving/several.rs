//! Several packets of a peer: `try_recv`, `packets` and `send_all`.

use std::{sync::Arc, time::Duration};

use datagrammar::{Limits, RecvError};
use futures_util::{FutureExt, StreamExt};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::support::{Net, conversing, everywhere, until};

everywhere! {
    //
    async fn try_recv_returns_packets_that_wait_and_never_waits(net) {
        let go = Arc::new(Semaphore::new(0));
        let server = net.serve_text(conversing!([go] |peer| {
            let mut all = vec![peer.try_recv().expect("the opening datagram is there")?];
            assert!(peer.try_recv().is_none());
            peer.send("ready".to_owned()).await?;
            go.acquire().await?.forget();
            while let Some(packet) = peer.try_recv() {
                all.push(packet?);
            }
            Ok(peer.send(all.join(" ")).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;
        assert_eq!(peer.ask("a").await, "ready");

        peer.send("b").await;
        peer.send("c").await;
        until(|| server.handle.stats().received == 3).await;
        go.add_permits(1);

        assert_eq!(peer.recv_text().await, "a b c");
        server.stop().await;
    }

    // R-17, S-4
    async fn packets_are_a_stream_and_many_are_sent_in_order(net) {
        let server = net.serve_text(conversing!(|peer| {
            let mut packets = peer.packets();
            let mut all = Vec::new();
            while let Some(packet) = packets.next().await {
                let packet = packet?;
                if packet == "end" {
                    break;
                }
                all.push(packet);
            }
            Ok(peer.send_all(&all).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["1", "2", "3", "end"] {
            peer.send(text).await;
        }

        for text in ["1", "2", "3"] {
            assert_eq!(peer.recv_text().await, text);
        }
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn decode_errors_and_the_idle_error_are_items_of_the_stream() {
    let net = Net::memory();
    let limits = Limits::default().idle_timeout(Duration::from_secs(5));
    let server = net
        .serve_text_within(
            limits,
            conversing!(|peer| {
                let items: Vec<_> = peer.packets().take(3).collect().await;
                let words = items.iter().map(|item| match item {
                    Ok(text) => text.as_str(),
                    Err(RecvError::Decode(_)) => "junk",
                    Err(RecvError::Idle) => "idle",
                    Err(error) => panic!("{error}"),
                });
                let words: Vec<_> = words.collect();
                Ok(peer.send(words.join(" ")).await?)
            }),
        )
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("text").await;
    peer.send(b"\xe9").await;

    assert_eq!(peer.recv_text().await, "text junk idle");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_its_time_limit_even_if_packets_came() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            let begun = Instant::now();
            let mut packets = peer.packets().within(Duration::from_secs(3));
            let mut count = 0;
            while let Some(packet) = packets.next().await {
                packet?;
                count += 1;
            }
            assert!(packets.next().await.is_none());
            let took = begun.elapsed().as_secs();
            Ok(peer.send(format!("{count} in {took} s")).await?)
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    for _ in 0..4 {
        peer.send("tick").await;
        sleep(Duration::from_millis(1_100)).await;
    }

    assert_eq!(peer.recv_text().await, "3 in 3 s");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_serving_ends_and_no_packet_follows() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            let mut packets = peer.packets();
            while let Some(packet) = packets.next().await {
                packet?;
            }
            let after = peer.try_recv();
            assert!(matches!(after, Some(Err(RecvError::Closed))), "{after:?}");
            Ok(peer.send("goodbye".to_owned()).await?)
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;
    peer.send("hello").await;
    until(|| server.handle.stats().active_conversations == 1).await;

    server.stop().await;

    assert_eq!(peer.recv_text().await, "goodbye");
}

//
#[tokio::test(start_paused = true)]
async fn an_empty_try_recv_keeps_the_bytes_that_did_not_decode() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            assert!(peer.try_recv().is_some_and(|junk| junk.is_err()));
            assert!(peer.try_recv().is_none());
            let len = peer.undecoded().map(<[u8]>::len);
            peer.send(format!("{len:?}")).await?;
            peer.recv().await?;
            assert!(peer.undecoded().is_none());
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send(b"\xe9").await;

    assert_eq!(peer.recv_text().await, "Some(1)");
    peer.send("bye").await;
    until(|| server.handle.stats().conversations == 1).await;
    assert_eq!(server.handle.stats().panicked, 0);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_time_limit_counts_from_when_it_is_set_even_on_a_stream_in_use() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            peer.recv().await?;
            let begun = Instant::now();
            let mut packets = peer.packets().within(Duration::from_secs(10));
            assert!(StreamExt::next(&mut packets).now_or_never().is_none());
            let mut packets = packets.within(Duration::from_secs(1));
            assert!(StreamExt::next(&mut packets).await.is_none());
            let took = begun.elapsed().as_secs();
            Ok(peer.send(format!("{took} s")).await?)
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("begin").await, "1 s");
    server.stop().await;
}
