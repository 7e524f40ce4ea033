//! Conversations that wait: one per peer, many peers at the same time, and no lost wake-ups.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use datagrammar::{DropReason, Limits, Server, Text};
use tokio::{
    runtime::Handle,
    sync::{Barrier, mpsc, watch},
    task::{coop, yield_now},
    time::{Instant, sleep},
};

use crate::support::{
    BindNow, Bytes, Gate, Net, Running, conversing, everywhere, until, within_deadline,
};

everywhere! {
    // D-8
    async fn a_peer_never_has_two_conversations_and_is_received_in_order(net) {
        let (talking, twice) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let limits = Limits::default().max_queue_len(1_000);
        let server = net.serve_text_within(limits, conversing!([talking, twice] |peer| {
            twice.fetch_or(talking.swap(true, SeqCst), SeqCst);
            let text = peer.recv().await?;
            for _ in 0..text.parse::<usize>()? % 4 {
                yield_now().await;
            }
            peer.send(&text).await?;
            talking.store(false, SeqCst);
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..100 {
            peer.send(n.to_string()).await;
        }

        for n in 0..100 {
            assert_eq!(peer.recv_text().await, n.to_string());
        }
        assert!(!twice.load(SeqCst));
        server.stop().await;
    }

    // D-9
    async fn conversations_of_two_peers_may_wait_for_each_other(net) {
        let barrier = Arc::new(Barrier::new(2));
        let server = net.serve_text(conversing!([barrier] |peer| {
            let text = peer.recv().await?;
            barrier.wait().await;
            Ok(peer.send(&text).await?)
        })).await;
        let (left, right) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        let passed = tokio::join!(left.ask("left"), right.ask("right"));

        assert_eq!(passed, ("left".to_owned(), "right".to_owned()));
        server.stop().await;
    }

    // D-12
    async fn no_datagram_is_forgotten_at_the_end_of_a_conversation(net) {
        let server = net.serve_text(conversing!(|peer| {
            let text = peer.recv().await?;
            // The reply leaves before the conversation ends, so the next request can arrive before that too.
            if text.ends_with('1') {
                yield_now().await;
            }
            peer.send(&text).await?;
            if text.ends_with('2') {
                yield_now().await;
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..1_000 {
            assert_eq!(peer.ask(&n.to_string()).await, n.to_string());
        }

        assert_eq!(server.handle.stats().delivered, 1_000);
        server.stop().await;
    }

    // D-12
    async fn no_datagram_is_forgotten_when_many_conversations_end_at_the_same_time(net) {
        let server = net.serve_text(conversing!(|peer| {
            yield_now().await;
            while let Ok(text) = peer.recv_timeout(Duration::ZERO).await {
                peer.send(&text).await?;
            }
            Ok(())
        })).await;
        let mut peers = Vec::new();
        for _ in 0..8 {
            peers.push(net.peer_of(&server.handle).await);
        }

        let asking = peers.into_iter().map(|peer| tokio::spawn(ask_in_twos(peer)));
        for asked in asking.collect::<Vec<_>>() {
            asked.await.unwrap();
        }

        assert_eq!(server.handle.stats().delivered, 8 * 200);
        server.stop().await;
    }

    // D-13
    async fn a_timer_that_was_polled_inline_wakes_the_task(net) {
        let server = net.serve_text(conversing!(|peer| {
            let text = peer.recv().await?;
            sleep(Duration::from_millis(20)).await;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("after a timer").await, "after a timer");

        server.stop().await;
    }

    // D-13
    async fn a_channel_that_was_polled_inline_wakes_the_task(net) {
        let (news, listener) = watch::channel(false);
        let (waiting, mut waits) = mpsc::unbounded_channel();
        let server = net.serve_text(conversing!([listener, waiting] |peer| {
            let (text, mut listener) = (peer.recv().await?, listener.clone());
            waiting.send(())?;
            listener.wait_for(|told| *told).await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("after a message").await;
        within_deadline(waits.recv()).await.unwrap();
        news.send_replace(true);

        assert_eq!(peer.recv_text().await, "after a message");
        server.stop().await;
    }

    // D-13
    async fn a_recv_that_was_polled_inline_wakes_the_task(net) {
        let server = net.serve_text(conversing!(|peer| {
            let first = peer.recv().await?;
            peer.send(&"more".to_owned()).await?;
            // Nothing waits between the reply and this call, so it is first polled inline.
            let second = peer.recv().await?;
            Ok(peer.send(&(first + &second)).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..100 {
            assert_eq!(peer.ask("a").await, "more");
            assert_eq!(peer.ask("b").await, "ab");
        }

        server.stop().await;
    }

    // D-14
    async fn only_conversations_that_wait_are_tasks(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            let text = peer.recv().await?;
            peer.send(&text).await?;
            if text == "wait" {
                gate.pass().await;
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;
        let tasks = || Handle::current().metrics().num_alive_tasks();
        // When it has answered, its worker runs.
        peer.ask("now").await;
        let without = tasks();

        for _ in 0..50 {
            peer.ask("now").await;
            assert_eq!(tasks(), without);
        }
        let mut peers = Vec::new();
        for _ in 0..10 {
            let peer = net.peer_of(&server.handle).await;
            peer.ask("wait").await;
            for _ in 0..5 {
                peer.send("now").await;
            }
            peers.push(peer);
        }
        until(|| server.handle.stats().received == 51 + 10 * 6).await;

        assert_eq!(tasks(), without + 10);
        gate.open();
        until(|| tasks() == without).await;
        server.stop().await;
    }

    // D-15
    async fn a_waiting_conversation_does_not_delay_other_peers(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            let text = peer.recv().await?;
            if text == "slow" {
                gate.pass().await;
            }
            Ok(peer.send(&text).await?)
        })).await;
        let (slow, quick) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        slow.send("slow").await;
        until(|| server.handle.stats().received == 1).await;

        assert_eq!(quick.ask("quick").await, "quick");
        assert!(slow.hears_nothing().await);
        server.stop().await;
    }
}

/// Sends two requests at a time. The second one can arrive at any point of the first one's conversation.
async fn ask_in_twos(peer: Bytes) {
    for n in 0..100 {
        let [first, second] = [format!("{n}a"), format!("{n}b")];
        peer.send(&first).await;
        peer.send(&second).await;
        assert_eq!(peer.recv_text().await, first);
        assert_eq!(peer.recv_text().await, second);
    }
}

// D-15
#[tokio::test(start_paused = true)]
async fn a_handler_that_sleeps_ten_seconds_delays_its_own_peer_only() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            let text = peer.recv().await?;
            if text == "slow" {
                sleep(Duration::from_secs(10)).await;
            }
            Ok(peer.send(&text).await?)
        }))
        .await;
    let (slow, quick) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
    let start = Instant::now();

    slow.send("slow").await;
    quick.ask("quick").await;
    let quick_took = start.elapsed();
    slow.recv().await;

    assert!(quick_took < Duration::from_millis(100), "{quick_took:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    server.stop().await;
}

// D-16
#[tokio::test(start_paused = true)]
async fn a_peer_that_floods_a_full_queue_does_not_delay_other_peers() {
    let net = Net::memory();
    let floods = Arc::new(AtomicU32::new(0));
    let server = net
        .serve_text(conversing!(
            [floods] | peer | {
                let text = peer.recv().await?;
                if text == "flood" {
                    floods.fetch_add(1, SeqCst);
                    std::future::pending::<()>().await;
                }
                Ok(peer.send(&text).await?)
            }
        ))
        .await;
    let (flooder, quick) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
    let flood = tokio::spawn(async move {
        loop {
            for _ in 0..200 {
                flooder.send("flood").await;
            }
            sleep(Duration::from_millis(1)).await;
        }
    });

    for n in 0..100 {
        let asked = Instant::now();
        assert_eq!(quick.ask(&n.to_string()).await, n.to_string());
        // The answer comes before the clock advances, so before the flood goes on.
        assert_eq!(asked.elapsed(), Duration::ZERO);
        sleep(Duration::from_millis(10)).await;
    }

    assert!(server.handle.stats().dropped(DropReason::QueueFull) > 100_000);
    assert_eq!(floods.load(SeqCst), 1);
    flood.abort();
    server.stop().await;
}

// D-12
#[tokio::test(start_paused = true)]
async fn a_conversation_may_end_between_two_datagrams_of_one_batch() {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        match &*text {
            "wait" => yield_now().await,
            // Other tasks run before this conversation has ended, in the middle of the batch.
            "work" => {
                for _ in 0..200 {
                    coop::consume_budget().await;
                }
            }
            _ => {}
        }
        Ok(peer.send(&text).await?)
    });
    let server = Server::builder(Text, handler).bind_now(net.socket()).unwrap();
    let handle = server.handle();
    let (peer, other) = (net.peer_of(&handle).await, net.peer_of(&handle).await);
    peer.send("wait").await;
    other.send("work").await;
    peer.send("next").await;

    let server = Running::start(server).await;

    assert_eq!(peer.recv_text().await, "wait");
    assert_eq!(peer.recv_text().await, "next");
    assert_eq!(server.handle.stats().conversations, 3);
    server.stop().await;
}
