//! Bounds: section G. The tests of memory bounds are in `tests/memory`.

mod batches;
mod books;
mod burst;
mod flood;
mod giving_way;
mod idle;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod kernel;

use std::{io, net::UdpSocket, time::Duration};

use datagrammar::{BindError, BoxError, DropReason, Handler, Limits, Overflow, Server, Text};
use tokio::task::{coop, yield_now};

use crate::support::{BindNow, Bytes, Gate, Net, OVERHEAD, Running, conversing, everywhere, until};

/// A handler that echoes one packet, waits for the gate, and then echoes until it receives "bye".
fn held_up(gate: &Gate) -> impl Handler<String, String> + use<> {
    conversing!(
        [gate] | peer | {
            let text = peer.recv().await?;
            peer.send(&text).await?;
            gate.pass().await;
            loop {
                let text = peer.recv().await?;
                if text == "bye" {
                    return Ok(());
                }
                peer.send(&text).await?;
            }
        }
    )
}

async fn send_numbers(peer: &Bytes, range: std::ops::Range<u64>) {
    for n in range {
        peer.send(n.to_string()).await;
    }
}

/// Waits until `datagrams` datagrams were dropped for `reason`.
async fn until_dropped(server: &Running, reason: DropReason, datagrams: u64) {
    until(|| server.handle.stats().dropped(reason) == datagrams).await;
}

async fn assert_hears_numbers(peer: &Bytes, range: std::ops::Range<u64>) {
    for n in range {
        assert_eq!(peer.recv_text().await, n.to_string());
    }
}

everywhere! {
    // G-2
    async fn beyond_its_queue_the_newest_datagrams_of_a_peer_are_dropped(net) {
        let (gate, limits) = (Gate::closed(), Limits::default().max_queue_len(64));
        let server = net.serve_text_within(limits, held_up(&gate)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.ask("first").await;
        send_numbers(&peer, 0..100).await;
        until_dropped(&server, DropReason::QueueFull, 36).await;
        gate.open();

        assert_hears_numbers(&peer, 0..64).await;
        assert_eq!(peer.ask("as before").await, "as before");
        assert_eq!(server.handle.stats().dropped(DropReason::QueueFull), 36);
        server.stop().await;
    }

    // G-2
    async fn the_datagram_that_opened_the_conversation_takes_no_room_in_the_queue(net) {
        let (gate, limits) = (Gate::closed(), Limits::default().max_queue_len(64));
        let server = net.serve_text_within(limits, conversing!([gate] |peer| {
            gate.pass().await;
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        send_numbers(&peer, 0..101).await;
        until_dropped(&server, DropReason::QueueFull, 36).await;
        gate.open();

        assert_hears_numbers(&peer, 0..65).await;
        assert_eq!(peer.ask("as before").await, "as before");
        assert_eq!(server.handle.stats().dropped(DropReason::QueueFull), 36);
        server.stop().await;
    }

    // G-3
    async fn beyond_its_queue_the_oldest_datagrams_are_dropped_if_that_is_chosen(net) {
        let (gate, limits) = (Gate::closed(), Limits::default().max_queue_len(64).overflow(Overflow::DropOldest));
        let server = net.serve_text_within(limits, held_up(&gate)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.ask("first").await;
        send_numbers(&peer, 0..100).await;
        until_dropped(&server, DropReason::QueueFull, 36).await;
        gate.open();

        assert_hears_numbers(&peer, 36..100).await;
        assert_eq!(peer.ask("as before").await, "as before");
        assert_eq!(server.handle.stats().dropped(DropReason::QueueFull), 36);
        server.stop().await;
    }

    // G-1: `max_queue_bytes`
    async fn the_bytes_that_wait_for_one_peer_are_bounded(net) {
        let (gate, limits) = (Gate::closed(), Limits::default().max_queue_bytes(10));
        let server = net.serve_text_within(limits, held_up(&gate)).await;
        let (peer, other) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        peer.ask("first").await;
        other.ask("first").await;
        send_numbers(&peer, 10..20).await;
        send_numbers(&other, 20..22).await;

        until_dropped(&server, DropReason::QueueFull, 5).await;
        until(|| server.handle.stats().queued_bytes == 7 * OVERHEAD + 14).await;
        gate.open();
        assert_hears_numbers(&peer, 10..15).await;
        assert_hears_numbers(&other, 20..22).await;
        server.stop().await;
    }

    // G-1: `max_total_queue_bytes`
    async fn the_bytes_that_wait_for_all_peers_are_bounded(net) {
        let (gate, limits) = (Gate::closed(), Limits::default().max_total_queue_bytes(5 * OVERHEAD + 10));
        let server = net.serve_text_within(limits, held_up(&gate)).await;
        let (peer, other) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        peer.ask("first").await;
        other.ask("first").await;
        send_numbers(&peer, 10..13).await;
        until(|| server.handle.stats().queued_bytes == 3 * OVERHEAD + 6).await;
        send_numbers(&other, 20..24).await;

        until_dropped(&server, DropReason::MemoryLimit, 2).await;
        assert_eq!(server.handle.stats().queued_bytes, 5 * OVERHEAD + 10);
        gate.open();
        assert_hears_numbers(&peer, 10..13).await;
        assert_hears_numbers(&other, 20..22).await;
        assert_eq!(other.ask("as before").await, "as before");
        assert_eq!(server.handle.stats().queued_bytes, 0);
        server.stop().await;
    }

    // G-1: `max_total_queue_bytes`
    async fn a_conversation_is_dropped_when_its_opening_datagram_would_have_to_wait_but_may_not(net) {
        let limits = Limits::default().max_total_queue_bytes(OVERHEAD + 10);
        let server = net.serve_text_within(limits, conversing!(|peer| {
            yield_now().await;
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("eleven bytes").await;
        assert_eq!(peer.ask("ten bytes").await, "ten bytes");

        until(|| server.handle.stats().active_conversations == 0).await;
        let stats = server.handle.stats();
        assert_eq!((stats.dropped(DropReason::MemoryLimit), stats.delivered), (1, 1));
        assert_eq!((stats.conversations, stats.aborted, stats.queued_bytes), (2, 0, 0));
        server.stop().await;
    }

    // G-1: a queue of length 0
    async fn with_a_queue_length_of_0_conversations_run_but_no_datagram_waits(net) {
        let (gate, limits) = (Gate::closed(), Limits::default().max_queue_len(0));
        let server = net.serve_text_within(limits, conversing!([gate] |peer| {
            let text = peer.recv().await?;
            gate.pass().await;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        send_numbers(&peer, 0..10).await;
        until_dropped(&server, DropReason::QueueFull, 9).await;
        gate.open();

        assert_eq!(peer.recv_text().await, "0");
        until(|| server.handle.stats().active_conversations == 0).await;
        assert_eq!(peer.ask("after").await, "after");
        assert_eq!(server.handle.stats().dropped(DropReason::QueueFull), 9);
        server.stop().await;
    }

    // G-1, G-12: also for a `recv` that waits
    async fn without_a_queue_a_conversation_receives_only_its_opening_datagram(net) {
        let limits = Limits::default().max_queue_len(0).idle_timeout(Duration::from_millis(200));
        let server = net.serve_text_within(limits, conversing!(|peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(&text).await?;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;
        assert_eq!(peer.ask("opens").await, "opens");
        until(|| server.handle.stats().active_conversations == 1).await;

        peer.send("is lost").await;
        until_dropped(&server, DropReason::QueueFull, 1).await;

        until(|| server.handle.stats().idle_timeouts == 1).await;
        assert_eq!(peer.ask("opens the next").await, "opens the next");
        server.stop().await;
    }

    // G-4
    async fn when_all_places_are_taken_other_peers_are_dropped_until_one_is_free(net) {
        let (gate, limits) = (Gate::closed(), Limits::default().max_conversations(3));
        let server = net.serve_text_within(limits, held_up(&gate)).await;
        let mut peers = Vec::new();
        for _ in 0..4 {
            peers.push(net.peer_of(&server.handle).await);
        }
        let late = peers.pop().unwrap();
        gate.open();

        for peer in &peers {
            peer.ask("hello").await;
        }
        send_numbers(&late, 0..5).await;
        until_dropped(&server, DropReason::ConversationLimit, 5).await;
        assert_eq!(server.handle.stats().active_conversations, 3);
        for peer in &peers {
            assert_eq!(peer.ask("still here").await, "still here");
        }
        peers[1].send("bye").await;
        until(|| server.handle.stats().active_conversations == 2).await;

        assert_eq!(late.ask("at last").await, "at last");
        assert!(late.hears_nothing().await);
        server.stop().await;
    }

    // G-4
    async fn each_end_of_a_conversation_frees_its_place(net) {
        let limits = Limits::default().max_conversations(1).idle_timeout(Duration::from_millis(20));
        let server = net.serve_text_within(limits, conversing!(|peer| {
            let text = peer.recv().await?;
            peer.send(&text).await?;
            // All conversations wait, so each takes the place.
            yield_now().await;
            match &*text {
                "fail" => Err("as it was asked to".into()),
                "panic" => std::panic::resume_unwind(Box::new("as it was asked to")),
                "idle" => Err(peer.recv().await.unwrap_err().into()),
                _ => Ok(()),
            }
        })).await;

        for way in ["return", "fail", "panic", "idle", "return"] {
            let peer = net.peer_of(&server.handle).await;
            assert_eq!(peer.ask(way).await, way);
            until(|| server.handle.stats().active_conversations == 0).await;
        }

        assert_eq!(server.handle.stats().dropped(DropReason::ConversationLimit), 0);
        assert_eq!(server.handle.stats().conversations, 5);
        server.stop().await;
    }
}

// G-4
#[tokio::test(start_paused = true)]
async fn a_place_freed_in_the_middle_of_a_batch_is_free_for_the_rest_of_the_batch() {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        match &*text {
            "wait" => yield_now().await,
            // Other tasks run before this conversation has ended, in the middle of the batch.
            "work" => {
                for _ in 0..2_000 {
                    coop::consume_budget().await;
                }
            }
            _ => {}
        }
        Ok(peer.send(&text).await?)
    });
    let builder = Server::builder(Text, handler).limits(Limits::default().max_conversations(2));
    let server = builder.bind_now(net.socket()).unwrap();
    let mut peers = Vec::new();
    for text in ["wait", "work", "now"] {
        let peer = net.peer_of(&server.handle()).await;
        peer.send(text).await;
        peers.push(peer);
    }

    let server = Running::start(server).await;

    assert_eq!(peers[2].recv_text().await, "now");
    server.stop().await;
}

/// Returns the errors for `limits`, of a server that binds and of a server on a socket of the caller's.
async fn refused(limits: Limits) -> [BindError; 2] {
    let builder = || Server::builder(Text, async |text: String| text).limits(limits.clone());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    [builder().bind("127.0.0.1:0").await.unwrap_err(), builder().bind(socket).await.unwrap_err()]
}

// G-1
#[tokio::test]
async fn a_limit_of_0_that_would_block_all_packets_is_refused_by_its_name() -> Result<(), BoxError>
{
    for (name, limits) in [
        ("max_queue_bytes", Limits::default().max_queue_bytes(0)),
        ("max_total_queue_bytes", Limits::default().max_total_queue_bytes(0)),
        ("max_conversations", Limits::default().max_conversations(0)),
        ("max_datagram_size", Limits::default().max_datagram_size(0)),
        ("idle_timeout", Limits::default().idle_timeout(Duration::ZERO)),
        ("send_timeout", Limits::default().send_timeout(Duration::ZERO)),
        ("max_events_per_second", Limits::default().max_events_per_second(0)),
    ] {
        for error in refused(limits).await {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
    }
    let none = Limits::default().max_queue_len(0).shutdown_grace(Duration::ZERO).idle_timeout(None);
    Server::builder(Text, async |text: String| text).limits(none).bind("127.0.0.1:0").await?;
    Ok(())
}
