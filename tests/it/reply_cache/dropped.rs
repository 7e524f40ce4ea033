//! A request that was dropped before a handler received it is new when it is repeated.

use datagrammar::{Limits, Overflow, ServerHandle, ServerStats};

use super::*;
use crate::support::{OVERHEAD, within_deadline};

/// How many datagrams were dropped for this reason.
fn dropped(handle: &ServerHandle, reason: DropReason) -> u64 {
    handle.stats().dropped(reason)
}

everywhere! {
    // Q-10, D-3
    async fn after_a_handler_that_did_not_receive_it(net) {
        let calls = Calls::default();
        let server = net.serve(numbered(conversing!([calls] |peer| {
            match calls.count() {
                1 => return Ok(()),
                // Its datagram waits in the mailbox.
                2 => {
                    yield_now().await;
                    return Ok(());
                }
                _ => {}
            }
            let text = peer.recv().await?;
            Ok(peer.send(format!("{text} {}", calls.get())).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        for unread in 1..=2 {
            peer.send("1 a").await;
            until(|| dropped(&server.handle, DropReason::Unread) == unread).await;
        }

        assert_eq!(peer.ask("1 a").await, "1 a 3");
        assert_eq!(peer.ask("1 a").await, "1 a 3");
        end(server, 1).await;
    }

    // Q-10, D-3: also in the same batch
    async fn in_a_burst_after_a_handler_that_did_not_receive_it(net) {
        if is_by_tasks(&net) {
            // There the first request still waits when the second one arrives.
            return;
        }
        let calls = Calls::default();
        let server = net.serve(numbered(conversing!([calls] |peer| {
            if calls.count() < 3 {
                return Ok(());
            }
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["1 a", "1 a", "1 a", "no id"] {
            peer.send(text).await;
        }

        assert_eq!([peer.recv_text().await, peer.recv_text().await], ["1 a", "no id"]);
        assert_eq!(dropped(&server.handle, DropReason::Unread), 2);
        end(server, 0).await;
    }

    // Q-10, D-3: unread at the end of a conversation that goes on to the next
    async fn after_a_conversation_that_left_it_in_the_queue(net) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let server = net.serve(numbered(conversing!([calls, gate] |peer| {
            if calls.count() == 2 {
                return Ok(());
            }
            let text = peer.recv().await?;
            gate.pass().await;
            Ok(peer.send(&text).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;
        peer.send("1 a").await;
        peer.send("2 b").await;
        until(|| server.handle.stats().received == 2).await;
        gate.open();

        assert_eq!(peer.recv_text().await, "1 a");
        until(|| dropped(&server.handle, DropReason::Unread) == 1).await;

        assert_eq!(peer.ask("2 b").await, "2 b");
        end(server, 0).await;
    }

    // Q-10, G-2, G-3
    async fn after_the_queue_of_its_peer_was_full(net) {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
            let (calls, gate) = (Calls::default(), Gate::closed());
            let handler = conversing!([calls, gate] |peer| {
                let text = peer.recv().await?;
                calls.count();
                gate.pass().await;
                Ok(peer.send(&text).await?)
            });
            let limits = Limits::default().max_queue_len(1).overflow(overflow);
            let server = net.serve(numbered(handler).limits(limits)).await;
            let peer = net.peer_of(&server.handle).await;
            peer.send("1 a").await;
            until(|| calls.get() == 1).await;
            let full = async |times| {
                until(|| dropped(&server.handle, DropReason::QueueFull) == times).await;
            };

            peer.send("2 b").await;
            peer.send("3 c").await;
            full(1).await;
            let (waits, was_dropped) = match overflow {
                Overflow::DropOldest => ("3 c", "2 b"),
                _ => ("2 b", "3 c"),
            };
            peer.send(waits).await;
            duplicates(&server, 1).await;
            gate.open();
            assert_eq!([peer.recv_text().await, peer.recv_text().await], ["1 a", waits]);

            assert_eq!(peer.ask(was_dropped).await, was_dropped);
            assert_eq!(calls.get(), 3);
            end(server, 0).await;
        }
    }

    // Q-10, G-4
    async fn after_there_was_no_place_for_its_peer_or_no_memory(net) {
        let gate = Gate::closed();
        let handler = conversing!([gate] |peer| {
            let text = peer.recv().await?;
            gate.pass().await;
            Ok(peer.send(&text).await?)
        });
        // Two requests may wait.
        let room = 2 * (OVERHEAD + 136 + 3);
        let limits = Limits::default().max_conversations(1).max_total_queue_bytes(room);
        let server = net.serve(numbered(handler).limits(limits)).await;
        let (first, second) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
        first.send("1 a").await;
        until(|| server.handle.stats().active_conversations == 1).await;
        until(|| server.handle.stats().delivered == 1).await;
        first.send("2 b").await;
        first.send("3 c").await;
        until(|| server.handle.stats().queued_bytes == room).await;

        for times in 1..=2 {
            second.send("1 a").await;
            until(|| dropped(&server.handle, DropReason::ConversationLimit) == times).await;
            first.send("4 d").await;
            until(|| dropped(&server.handle, DropReason::MemoryLimit) == times).await;
        }
        gate.open();
        for expected in ["1 a", "2 b", "3 c"] {
            assert_eq!(first.recv_text().await, expected);
        }
        until(|| server.handle.stats().active_conversations == 0).await;

        assert_eq!(second.ask("1 a").await, "1 a");
        until(|| server.handle.stats().active_conversations == 0).await;
        assert_eq!(first.ask("4 d").await, "4 d");
        assert_eq!(dropped(&server.handle, DropReason::Duplicate), 0);
        end(server, 0).await;
    }

    // Q-10, L-17
    async fn during_a_drain(net) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let handler = conversing!([calls, gate] |peer| {
            let text = peer.recv().await?;
            if calls.count() == 1 {
                gate.pass().await;
            }
            Ok(peer.send(&text).await?)
        });
        let server = net.bind(numbered(handler));
        let handle = server.handle();
        let (busy, new) = (net.peer_of(&handle).await, net.peer_of(&handle).await);
        let probe = net.peer_of(&handle).await;
        let draining = handle.clone();
        let first = async {
            within_deadline(handle.ready()).await;
            busy.send("1 a").await;
            until(|| calls.get() == 1).await;
            let drain = tokio::spawn(async move { draining.drain(Duration::from_secs(10)).await });
            // The workers learn of the drain at some time after it has begun.
            for received in 2.. {
                probe.send("probe").await;
                let is_done = |stats: ServerStats| {
                    stats.received == received && received == stats.delivered + stats.total_dropped()
                };
                until(|| is_done(handle.stats())).await;
                if dropped(&handle, DropReason::ShuttingDown) == 1 {
                    break;
                }
            }
            for times in 2..=3 {
                new.send("2 b").await;
                until(|| dropped(&handle, DropReason::ShuttingDown) == times).await;
            }
            gate.open();
            assert_eq!(busy.recv_text().await, "1 a");
            within_deadline(drain).await.unwrap();
        };
        let (served, ()) = tokio::join!(server.serve(), first);
        served.unwrap();

        let server = Running::start(server).await;
        assert_eq!(new.ask("2 b").await, "2 b");
        assert_eq!(busy.ask("1 a").await, "1 a");
        end(server, 1).await;
    }

    // Q-10, L-12: and what the handler received before the shutdown is still known
    async fn at_a_shutdown(net) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let handler = conversing!([calls, gate] |peer| {
            let text = peer.recv().await?;
            let call = calls.count();
            if call == 1 {
                gate.pass().await;
            }
            Ok(peer.send(format!("{text} {call}")).await?)
        });
        let limits = Limits::default().shutdown_grace(Duration::from_millis(10));
        let server = net.bind(numbered(handler).limits(limits));
        let handle = server.handle();
        let peer = net.peer_of(&handle).await;
        let first = async {
            within_deadline(handle.ready()).await;
            peer.send("1 a").await;
            peer.send("2 b").await;
            until(|| handle.stats().received == 2 && calls.get() == 1).await;
            within_deadline(handle.shutdown()).await;
        };
        let (served, ()) = tokio::join!(server.serve(), first);
        served.unwrap();
        assert_eq!(dropped(&handle, DropReason::ShuttingDown), 1);
        assert_eq!(handle.stats().aborted, 1);

        let server = Running::start(server).await;
        peer.send("1 a").await;
        duplicates(&server, 1).await;
        assert_eq!(peer.ask("2 b").await, "2 b 2");
        end(server, 0).await;
    }
}
