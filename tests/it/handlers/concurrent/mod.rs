//! D-26: functions that serve several requests of one peer at once.

mod failures;
mod lasting;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use datagrammar::{
    Addr, BoxError, DropReason, Limits, concurrent, no_reply, reply_if, try_reply, with_state,
};
use tokio::{sync::Barrier, task::yield_now};

use crate::support::{Gate, OVERHEAD, everywhere, until};

/// Echoes a text. A text that begins with `wait` waits for the gate; `fail` and `panic` do what they say.
async fn as_told(gate: Gate, text: String) -> Result<String, BoxError> {
    match text.as_str() {
        "fail" => return Err("as told".into()),
        "panic" => panic!("as told"),
        "fail later" | "panic later" => yield_now().await,
        text if text.starts_with("wait") => gate.pass().await,
        _ => {}
    }
    match text.as_str() {
        "fail later" => Err("as told".into()),
        "panic later" => panic!("as told"),
        _ => Ok(text),
    }
}

everywhere! {
    // D-26
    async fn up_to_the_limit_requests_of_one_peer_are_served_at_the_same_time(net) {
        let barrier = Arc::new(Barrier::new(3));
        let meet = async |barrier: Arc<Barrier>, text: String| {
            barrier.wait().await;
            text
        };
        let server = net.serve_text(concurrent(3, with_state(barrier, meet))).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["a", "b", "c"] {
            peer.send(text).await;
        }

        let mut heard = [peer.recv_text().await, peer.recv_text().await, peer.recv_text().await];
        heard.sort();
        assert_eq!(heard, ["a", "b", "c"]);
        server.stop().await;
    }

    // D-26
    async fn beyond_the_limit_requests_wait_in_the_queue(net) {
        let (gate, running, most) =
            (Gate::closed(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let state = (gate.clone(), Arc::clone(&running), Arc::clone(&most));
        let count = async |(gate, running, most): (Gate, Arc<AtomicUsize>, Arc<AtomicUsize>),
                           text: String| {
            most.fetch_max(running.fetch_add(1, Relaxed) + 1, Relaxed);
            gate.pass().await;
            running.fetch_sub(1, Relaxed);
            text
        };
        let server = net.serve_text(concurrent(2, with_state(state, count))).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..6 {
            peer.send(n.to_string()).await;
        }
        until(|| server.handle.stats().queued_bytes == 4 * (OVERHEAD + 1)).await;
        assert_eq!(running.load(Relaxed), 2);
        gate.open();

        let mut heard = Vec::new();
        for _ in 0..6 {
            heard.push(peer.recv_text().await);
        }
        heard.sort();
        assert_eq!(heard, ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(most.load(Relaxed), 2);
        server.stop().await;
    }

    // D-26
    async fn requests_that_find_no_room_in_the_queue_are_dropped(net) {
        let gate = Gate::closed();
        let limits = Limits::default().max_queue_len(2);
        let handler = concurrent(1, with_state(gate.clone(), as_told));
        let server = net.serve_text_within(limits, handler).await;
        let peer = net.peer_of(&server.handle).await;
        peer.send("wait").await;
        until(|| server.handle.stats().active_conversations == 1).await;

        for text in ["first", "second", "third"] {
            peer.send(text).await;
        }
        until(|| server.handle.stats().dropped(DropReason::QueueFull) == 1).await;
        gate.open();

        for text in ["wait", "first", "second"] {
            assert_eq!(peer.recv_text().await, text);
        }
        server.stop().await;
    }

    // D-26
    async fn responses_leave_as_the_calls_complete(net) {
        let gate = Gate::closed();
        let server = net.serve_text(concurrent(8, with_state(gate.clone(), as_told))).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("wait").await;
        peer.send("wait too").await;
        assert_eq!(peer.ask("at once").await, "at once");
        assert!(peer.hears_nothing().await);
        gate.open_once();
        assert_eq!(peer.recv_text().await, "wait");
        assert_eq!(peer.ask("in between").await, "in between");
        gate.open();

        assert_eq!(peer.recv_text().await, "wait too");
        until(|| server.handle.stats().active_conversations == 0).await;
        let stats = server.handle.stats();
        assert_eq!((stats.conversations, stats.delivered), (1, 4));
        server.stop().await;
    }

    // D-26
    async fn a_thousand_requests_that_wait_for_other_tasks_are_all_answered(net) {
        let work = async |text: String| {
            // Another task completes it, perhaps on another thread.
            let work = tokio::spawn(async move {
                for _ in 0..text.len() {
                    yield_now().await;
                }
                text
            });
            work.await.map_err(BoxError::from)
        };
        let server = net.serve_text(concurrent(16, work)).await;
        let peer = net.peer_of(&server.handle).await;

        for round in 0..20 {
            let texts: Vec<_> = (0..50).map(|n| format!("{round} {n}")).collect();
            peer.send_all(texts.clone()).await;
            let mut heard = Vec::new();
            for _ in 0..50 {
                heard.push(peer.recv_text().await);
            }
            heard.sort_by_key(|text| texts.iter().position(|sent| sent == text));
            assert_eq!(heard, texts);
        }
        until(|| server.handle.stats().active_conversations == 0).await;
        let stats = server.handle.stats();
        assert_eq!((stats.delivered, stats.failed, stats.panicked), (1_000, 0, 0));
        server.stop().await;
    }

    // D-26, D-22, D-23, D-24
    async fn functions_of_all_forms_can_be_served_at_once(net) {
        let gate = Gate::closed();
        let lookup = async |gate: Gate, text: String, addr: Addr| -> Result<_, BoxError> {
            gate.pass().await;
            Ok((text != "hush").then(|| format!("{addr} {text}")))
        };
        let silent = {
            let gate = gate.clone();
            move |_: String| {
                let gate = gate.clone();
                async move { gate.pass().await }
            }
        };
        let server = net.serve_text(concurrent(4, no_reply(silent))).await;
        let peer = net.peer_of(&server.handle).await;
        for server in [
            net.serve_text(concurrent(4, with_state(gate.clone(), lookup))).await,
            net.serve_text(concurrent(4, try_reply(with_state(gate.clone(), lookup)))).await,
            net.serve_text(concurrent(4, reply_if(with_state(
                gate.clone(),
                async |gate: Gate, text: String, addr: Addr| {
                    gate.pass().await;
                    (text != "hush").then(|| format!("{addr} {text}"))
                },
            )))).await,
        ] {
            let peer = net.peer_of(&server.handle).await;
            peer.send("hush").await;
            peer.send("hello").await;
            gate.open_once();
            gate.open_once();

            assert_eq!(peer.recv_text().await, format!("{} hello", peer.addr()));
            until(|| server.handle.stats().active_conversations == 0).await;
            until(|| server.handle.stats().sent == 1).await;
            assert!(peer.hears_nothing().await);
            server.stop().await;
        }

        peer.send("anybody there?").await;
        until(|| server.handle.stats().active_conversations == 1).await;
        gate.open();
        until(|| server.handle.stats().conversations == 1).await;
        assert_eq!(server.handle.stats().sent, 0);
        server.stop().await;
    }

}

// D-26
#[test]
#[should_panic(expected = "a limit of 0")]
fn a_limit_of_zero_is_refused() {
    let _ = concurrent(0, async |text: String| text);
}
