//! Packets that are put back, and bytes that did not decode.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use datagrammar::{Limits, RecvError, Server, Text};
use tokio::{task::yield_now, time::Instant};

use crate::support::{Gate, Net, OVERHEAD, conversing, everywhere, until};

everywhere! {
    //
    async fn a_packet_that_was_put_back_opens_the_next_conversation(net) {
        let server = net.serve_text(conversing!(|peer| {
            let mut heard = vec![peer.recv().await?];
            if heard[0] == "slow" {
                yield_now().await;
            }
            loop {
                match peer.recv_timeout(Duration::ZERO).await {
                    Ok(next) if next.starts_with("more") => heard.push(next),
                    Ok(next) => {
                        peer.put_back(next);
                        break;
                    }
                    Err(_) => break,
                }
            }
            Ok(peer.send(&heard.join(" ")).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["slow", "more 1", "other", "more 2", "last"] {
            peer.send(text).await;
        }

        let mut heard = Vec::new();
        while heard.iter().map(|text: &String| text.split(' ').count()).sum::<usize>() < 7 {
            heard.push(peer.recv_text().await);
        }
        assert_eq!(heard.join(" "), "slow more 1 other more 2 last");
        until(|| server.handle.stats().active_conversations == 0).await;
        let stats = server.handle.stats();
        assert_eq!((stats.received, stats.delivered, stats.total_dropped()), (5, 5, 0));
        assert_eq!(stats.queued_bytes, 0);
        server.stop().await;
    }

    //
    async fn a_packet_that_was_put_back_is_the_next_one_in_the_same_conversation_too(net) {
        let server = net.serve_text(conversing!(|peer| {
            let text = peer.recv().await?;
            peer.put_back(text);
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("hello").await, "hello");
        assert_eq!(peer.ask("hello again").await, "hello again");
        assert_eq!(server.handle.stats().conversations, 2);
        server.stop().await;
    }

    // R-15, D-3
    async fn a_packet_that_was_put_back_and_is_not_received_again_is_dropped(net) {
        let conversations = Arc::new(AtomicU32::new(0));
        let server = net.serve_text(conversing!([conversations] |peer| {
            match conversations.fetch_add(1, SeqCst) {
                0 => {
                    let text = peer.recv().await?;
                    peer.put_back(text);
                    Ok(())
                }
                1 => Ok(()),
                _ => {
                    let text = peer.recv().await?;
                    Ok(peer.send(&text).await?)
                }
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("put back").await;
        until(|| server.handle.stats().conversations == 2).await;
        assert_eq!(peer.ask("hello").await, "hello");

        let stats = server.handle.stats();
        assert_eq!((stats.received, stats.delivered, stats.conversations), (2, 2, 3));
        server.stop().await;
    }

    // R-15, G-11, R-11
    async fn putting_a_packet_back_forever_lets_other_tasks_run(net) {
        let server = net.serve_text(conversing!(|peer| {
            let mut text = peer.recv().await?;
            while text == "again" {
                peer.put_back(text);
                text = peer.recv().await?;
            }
            Ok(peer.send(&text).await?)
        })).await;
        let (peer, other) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        peer.send("again").await;
        // A paused clock stands still while the conversation runs, so this cannot sleep.
        while server.handle.stats().active_conversations == 0 {
            yield_now().await;
        }
        assert_eq!(other.ask("hello").await, "hello");

        // The conversation is closed, not aborted.
        let handle = server.handle.clone();
        server.stop().await;
        assert_eq!((handle.stats().aborted, handle.stats().conversations), (0, 2));
    }

    //
    async fn the_bytes_that_did_not_decode_are_available_until_the_next_packet(net) {
        let server = net.serve_text(conversing!(|peer| {
            loop {
                let word = match peer.recv().await {
                    Ok(text) => {
                        assert_eq!(peer.undecoded(), None);
                        text
                    }
                    Err(RecvError::Decode(_)) => format!("{:x?}", peer.undecoded().unwrap()),
                    Err(error) => return Err(error.into()),
                };
                peer.send(&word).await?;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for (sent, heard) in [(&b"\xe9"[..], "[e9]"), (b"text", "text"), (b"\xff\xfe", "[ff, fe]")] {
            peer.send(sent).await;
            assert_eq!(peer.recv_text().await, heard);
        }
        until(|| server.handle.stats().queued_bytes == 0).await;
        server.stop().await;
    }

    //
    async fn a_deadline_is_one_for_all_packets_that_come_before_it(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            let deadline = Instant::now() + Duration::from_millis(300);
            let mut heard = 0;
            while peer.recv_deadline(deadline).await.is_ok() {
                heard += 1;
            }
            assert!(Instant::now() >= deadline);
            // After the deadline, `recv_deadline` still returns a packet that waits.
            peer.send(&heard.to_string()).await?;
            gate.pass().await;
            let late = peer.recv_deadline(deadline).await?;
            Ok(peer.send(&late).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("1").await;
        peer.send("2").await;
        assert_eq!(peer.recv_text().await, "2");
        peer.send("late").await;
        until(|| server.handle.stats().queued_bytes == OVERHEAD + 4).await;
        gate.open();
        assert_eq!(peer.recv_text().await, "late");
        server.stop().await;
    }
}

// the limit of all bytes that wait
#[tokio::test(start_paused = true)]
async fn bytes_that_did_not_decode_are_not_kept_beyond_the_memory_limit() {
    let net = Net::memory();
    let limits = Limits::default().max_total_queue_bytes(OVERHEAD + 4);
    let handler = conversing!(|peer| {
        drop(peer.recv().await);
        let kept = peer.undecoded().map(<[u8]>::len);
        Ok(peer.send(&format!("{kept:?}")).await?)
    });
    let server = net.serve(Server::builder(Text, handler).limits(limits)).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send(b"\xff234").await;
    assert_eq!(peer.recv_text().await, "Some(4)");
    peer.send(b"\xff2345").await;
    assert_eq!(peer.recv_text().await, "None");
    assert_eq!(server.handle.stats().queued_bytes, 0);
    server.stop().await;
}
