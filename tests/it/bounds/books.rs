//! The stats: totals that balance.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use datagrammar::{Addr, Client, DropReason, Limits, Raw, Server, ServerStats, Text};
use tokio::task::yield_now;

use crate::support::{
    BindNow, Gate, Net, OVERHEAD, Running, conversing, everywhere, until, within_deadline,
};

/// How many datagrams were dropped for each reason.
fn dropped(stats: &ServerStats) -> [u64; 7] {
    [
        DropReason::QueueFull,
        DropReason::MemoryLimit,
        DropReason::ConversationLimit,
        DropReason::Truncated,
        DropReason::Refused,
        DropReason::Unread,
        DropReason::ShuttingDown,
    ]
    .map(|reason| stats.dropped(reason))
}

everywhere! {
    // G-9, G-14
    async fn each_datagram_was_either_received_or_dropped_for_one_reason(net) {
        let (gate, enemy) = (Gate::closed(), Arc::new(Mutex::new(None)));
        let limits = Limits::default().max_queue_len(3).max_total_queue_bytes(6 * OVERHEAD + 20).max_conversations(2).max_datagram_size(10);
        let check = {
            let enemy = Arc::clone(&enemy);
            move |peer: &Addr| enemy.lock().unwrap().as_ref() != Some(peer)
        };
        let handler = conversing!([gate] |peer| {
            peer.send(&"opened".to_owned()).await?;
            gate.pass().await;
            while peer.recv().await? != "leave" {}
            Ok(())
        });
        let server = net.serve(Server::builder(Text, handler).limits(limits).source_filter(check)).await;
        let (first, second, third, fourth) = (
            net.peer_of(&server.handle).await,
            net.peer_of(&server.handle).await,
            net.peer_of(&server.handle).await,
            net.peer_of(&server.handle).await,
        );
        *enemy.lock().unwrap() = Some(fourth.addr().clone());

        first.ask("1").await;
        second.ask("leave").await;
        for text in ["2", "3", "leave", "too many"] {
            first.send(text).await;
        }
        until(|| server.handle.stats().dropped(DropReason::QueueFull) == 1).await;
        second.send("123456789").await;
        second.send("12345").await;
        third.send("no place").await;
        second.send("longer than ten bytes").await;
        fourth.send("let me in").await;
        until(|| dropped(&server.handle.stats()) == [1, 1, 1, 1, 1, 0, 0]).await;

        // The first peer waits with "1", "2", "3" and "leave", the second with "leave" and "12345".
        assert_eq!(server.handle.stats().queued_bytes, 6 * OVERHEAD + 8 + 10);
        gate.open();
        until(|| server.handle.stats().delivered == 6).await;
        let handle = server.handle.clone();
        server.stop().await;
        let stats = handle.stats();
        assert_eq!(stats.received, stats.delivered + stats.total_dropped());
        assert_eq!((stats.active_conversations, stats.queued_bytes), (0, 0));
    }

    // G-9
    async fn the_stats_balance_while_nothing_is_in_progress(net) {
        let server = net.serve_text_within(Limits::default().max_queue_len(1_000), conversing!(|peer| {
            match peer.recv().await?.parse::<u32>()? % 5 {
                0 => yield_now().await,
                1 => return Err("as it was asked to".into()),
                2 => std::panic::resume_unwind(Box::new("as it was asked to")),
                3 => drop(peer.recv_timeout(Duration::ZERO).await),
                _ => {}
            }
            Ok(())
        })).await;

        for _ in 0..4 {
            let peer = net.peer_of(&server.handle).await;
            for n in 0..50 {
                peer.send(n.to_string()).await;
            }
            peer.send(b"\xe9").await;
        }

        until(|| {
            let stats = server.handle.stats();
            stats.received == 4 * 51 && stats.delivered + stats.total_dropped() == 4 * 51
        })
        .await;
        until(|| server.handle.stats().active_conversations == 0).await;
        let stats = server.handle.stats();
        assert_eq!((stats.received, stats.delivered + stats.total_dropped()), (204, 204));
        assert_eq!((stats.decode_errors, stats.queued_bytes), (4, 0));
        server.stop().await;
    }

    // G-14
    async fn stats_never_decrease_and_any_thread_may_read_them(net) {
        let server = net.serve_text(async |text: String| {
            if text.ends_with('7') {
                yield_now().await;
            }
            text
        }).await;
        let peer = net.peer_of(&server.handle).await;
        let gate = Arc::new(Mutex::new(false));
        let reader = {
            let (handle, over) = (server.handle.clone(), Arc::clone(&gate));
            thread::spawn(move || {
                let mut before = totals(&handle.stats());
                while !*over.lock().unwrap() {
                    let now = totals(&handle.stats());
                    assert!(before.iter().zip(&now).all(|(before, now)| before <= now));
                    before = now;
                }
            })
        };

        for n in 0..500 {
            peer.ask(&n.to_string()).await;
        }
        *gate.lock().unwrap() = true;

        reader.join().unwrap();
        assert_eq!(server.handle.stats().delivered, 500);
        server.stop().await;
    }
}

/// The counters that never decrease.
fn totals(stats: &ServerStats) -> [u64; 6] {
    let ServerStats { received, delivered, sent, conversations, .. } = *stats;
    [received, delivered, sent, conversations, stats.decode_errors, stats.total_dropped()]
}

// G-14
#[tokio::test]
async fn stats_are_totals_over_all_addresses() {
    let builder = Server::builder(Text, async |text: String| text);
    let server = builder.bind(["127.0.0.1:0", "127.0.0.2:0"]).await.unwrap();
    let server = Running::start(server).await;

    for addr in server.handle.local_addrs() {
        let client = Client::connect(addr.socket_addr().unwrap(), Raw).await.unwrap();
        client.send(&"hello".into()).await.unwrap();
        within_deadline(client.recv()).await.unwrap();
    }

    let stats = server.handle.stats();
    assert_eq!((stats.received, stats.delivered, stats.conversations), (2, 2, 2));
    server.stop().await;
}

// G-4, G-14
#[tokio::test]
async fn the_addresses_of_a_server_share_its_places() {
    let gate = Gate::closed();
    let handler = conversing!(
        [gate] | peer | {
            peer.send(&"opened".to_owned()).await?;
            gate.pass().await;
            Ok(())
        }
    );
    let builder = Server::builder(Text, handler).limits(Limits::default().max_conversations(1));
    let server = builder.bind(["127.0.0.1:0", "127.0.0.2:0"]).await.unwrap();
    let server = Running::start(server).await;
    let bound = server.handle.local_addrs();
    let first = Client::connect(bound[0].socket_addr().unwrap(), Text).await.unwrap();
    let second = Client::connect(bound[1].socket_addr().unwrap(), Text).await.unwrap();

    first.send(&"hello".to_owned()).await.unwrap();
    within_deadline(first.recv()).await.unwrap();
    second.send(&"hello".to_owned()).await.unwrap();

    until(|| server.handle.stats().dropped(DropReason::ConversationLimit) == 1).await;
    gate.open();
    until(|| server.handle.stats().active_conversations == 0).await;
    server.stop().await;
}

// G-14
#[tokio::test(start_paused = true)]
async fn stats_go_on_in_the_next_serving() {
    let net = Net::memory();
    let builder = Server::builder(Text, async |text: String| text);
    let server = Arc::new(builder.bind_now(net.socket()).unwrap());
    let handle = server.handle();
    let peer = net.peer_of(&handle).await;

    for returned in 1..=3 {
        let serving = {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.serve().await })
        };
        within_deadline(handle.ready()).await;
        peer.ask("hello").await;
        within_deadline(handle.shutdown()).await;
        serving.await.unwrap().unwrap();
        assert_eq!(handle.stats().delivered, returned);
    }
}
