//! D-26 to D-29: functions that serve several requests of one peer at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{
    Addr, BoxError, DatagramProtocol, DecodeError, DropReason, EncodeError, Limits, Server, Text,
    concurrent, no_reply, reply_if, try_reply, with_state,
};
use tokio::{runtime::Handle, sync::Barrier, task::yield_now, time::sleep};

use crate::support::{Gate, Net, OVERHEAD, everywhere, until};

/// Echoes; what begins with `wait` only after the gate was opened, and the rest is as it says.
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
    async fn as_many_requests_of_one_peer_are_served_at_once_as_is_allowed(net) {
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
    async fn no_more_are_served_at_once_and_the_next_ones_wait_in_the_queue(net) {
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
    async fn what_finds_no_room_in_the_queue_meanwhile_is_dropped(net) {
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
            // Its end comes from another task, on another thread perhaps.
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

    // D-27, H-1, H-3, H-19
    async fn a_call_that_fails_or_panics_ends_no_other_call(net) {
        let gate = Gate::closed();
        let server = net.serve_text(concurrent(8, with_state(gate.clone(), as_told))).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("wait").await;
        for text in ["fail", "panic", "fail later", "panic later"] {
            peer.send(text).await;
        }
        peer.send(b"\xe9").await;
        assert_eq!(peer.ask("hello").await, "hello");
        until(|| {
            let stats = server.handle.stats();
            (stats.failed, stats.panicked, stats.decode_errors) == (2, 2, 1)
        })
        .await;
        gate.open();

        assert_eq!(peer.recv_text().await, "wait");
        until(|| server.handle.stats().active_conversations == 0).await;
        let stats = server.handle.stats();
        assert_eq!((stats.conversations, stats.failed, stats.panicked), (1, 2, 2));
        assert_eq!(stats.received, stats.delivered);
        server.stop().await;
    }

    // D-27, H-1, H-3
    async fn the_first_call_fails_and_panics_like_all_others(net) {
        let server = net.serve_text(concurrent(8, with_state(Gate::closed(), as_told))).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["fail", "panic", "fail later", "panic later"] {
            peer.send(text).await;
            until(|| server.handle.stats().active_conversations == 0).await;
        }

        assert_eq!(peer.ask("hello").await, "hello");
        until(|| {
            let stats = server.handle.stats();
            (stats.failed, stats.panicked) == (2, 2)
        })
        .await;
        server.stop().await;
    }

    // D-27, H-5
    async fn a_response_that_cannot_be_encoded_ends_no_other_call(net) {
        let gate = Gate::closed();
        let handler = concurrent(8, with_state(gate.clone(), as_told));
        let server = net.serve(Server::builder(Fragile, handler)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("wait").await;
        peer.send("too long").await;
        peer.send("break").await;
        assert_eq!(peer.ask("fine").await, "fine");
        until(|| {
            let stats = server.handle.stats();
            (stats.failed, stats.panicked) == (1, 1)
        })
        .await;
        gate.open();

        assert_eq!(peer.recv_text().await, "wait");
        server.stop().await;
    }

    // G-9
    async fn a_function_that_answers_at_once_has_a_conversation_for_each_request(net) {
        let server = net.serve_text(concurrent(8, async |text: String| text)).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..3 {
            assert_eq!(peer.ask("hello").await, "hello");
        }

        until(|| server.handle.stats().conversations == 3).await;
        let stats = server.handle.stats();
        assert_eq!((stats.received, stats.delivered), (3, 3));
        server.stop().await;
    }

    // D-29, L-10
    async fn calls_that_run_complete_within_the_grace(net) {
        let gate = Gate::closed();
        let limits = Limits::default().shutdown_grace(Duration::from_secs(20));
        let handler = concurrent(2, with_state(gate.clone(), as_told));
        let server = net.serve_text_within(limits, handler).await;
        let peer = net.peer_of(&server.handle).await;
        for text in ["wait", "wait too", "waits in the queue"] {
            peer.send(text).await;
        }
        until(|| server.handle.stats().queued_bytes == OVERHEAD + 18).await;
        let handle = server.handle.clone();

        let stopping = tokio::spawn({
            let handle = handle.clone();
            async move { handle.shutdown().await }
        });
        until(|| handle.stats().dropped(DropReason::ShuttingDown) == 1).await;
        gate.open();

        let mut heard = [peer.recv_text().await, peer.recv_text().await];
        heard.sort();
        assert_eq!(heard, ["wait", "wait too"]);
        stopping.await.unwrap();
        let stats = handle.stats();
        assert_eq!((stats.aborted, stats.failed, stats.conversations), (0, 0, 1));
        server.stop().await;
    }

    // D-29, L-11
    async fn calls_that_outlive_the_grace_are_dropped(net) {
        struct Dropped(Arc<AtomicUsize>);

        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Relaxed);
                panic!("in a destructor");
            }
        }

        let dropped = Arc::new(AtomicUsize::new(0));
        let never = async |dropped: Arc<AtomicUsize>, _: String| {
            let _guard = Dropped(dropped);
            std::future::pending::<String>().await
        };
        let limits = Limits::default().shutdown_grace(Duration::ZERO);
        let handler = concurrent(8, with_state(Arc::clone(&dropped), never));
        let server = net.serve_text_within(limits, handler).await;
        let peer = net.peer_of(&server.handle).await;
        for text in ["a", "b", "c"] {
            peer.send(text).await;
        }
        until(|| server.handle.stats().delivered == 3).await;
        let handle = server.handle.clone();

        server.stop().await;

        assert_eq!(dropped.load(Relaxed), 3);
        let stats = handle.stats();
        assert_eq!((stats.aborted, stats.conversations), (1, 1));
    }
}

// D-28
#[tokio::test(start_paused = true)]
async fn one_task_serves_all_that_one_peer_waits_for_and_none_serves_what_is_answered_at_once() {
    async fn tasks(gate: Gate, text: String) -> String {
        if text == "wait" {
            gate.pass().await;
        }
        Handle::current().metrics().num_alive_tasks().to_string()
    }

    let (net, gate) = (Net::memory(), Gate::closed());
    let server = net.serve_text(concurrent(8, with_state(gate.clone(), tasks))).await;
    let (peer, other) = super::two_peers(&net, &server.handle).await;
    let alone: usize = peer.ask("at once").await.parse().unwrap();
    assert_eq!(alone, Handle::current().metrics().num_alive_tasks());

    for _ in 0..5 {
        peer.send("wait").await;
    }
    until(|| server.handle.stats().delivered == 6).await;

    assert_eq!(other.ask("at once").await, (alone + 1).to_string());
    assert_eq!(server.handle.stats().active_conversations, 1);
    gate.open();
    until(|| server.handle.stats().active_conversations == 0).await;
    server.stop().await;
}

// D-28, G-12
#[tokio::test(start_paused = true)]
async fn a_call_may_take_longer_than_the_idle_limit() {
    let net = Net::memory();
    let slow = async |text: String| {
        sleep(Duration::from_secs(if text == "slow" { 200 } else { 1 })).await;
        text
    };
    let server = net.serve_text(concurrent(8, slow)).await;
    let peer = net.peer_of(&server.handle).await;
    peer.send("slow").await;
    sleep(Duration::from_secs(150)).await;

    peer.send("quick").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(peer.recv_text().await, "quick");
    sleep(Duration::from_secs(60)).await;

    assert_eq!(peer.recv_text().await, "slow");
    let stats = server.handle.stats();
    assert_eq!((stats.idle_timeouts, stats.conversations, stats.failed), (0, 1, 0));
    server.stop().await;
}

// D-28, G-11
#[tokio::test(start_paused = true)]
async fn calls_that_wake_themselves_all_the_time_let_others_have_the_thread() {
    let net = Net::memory();
    let busy = Arc::new(AtomicBool::new(true));
    let spin = async |busy: Arc<AtomicBool>, text: String| {
        while text == "spin" && busy.load(Relaxed) {
            yield_now().await;
        }
        text
    };
    let server = net.serve_text(concurrent(8, with_state(Arc::clone(&busy), spin))).await;
    let (peer, other) = super::two_peers(&net, &server.handle).await;

    peer.send("spin").await;
    peer.send("spin").await;

    assert_eq!(other.ask("hello").await, "hello");
    assert_eq!(peer.ask("hello").await, "hello");
    busy.store(false, Relaxed);
    assert_eq!([peer.recv_text().await, peer.recv_text().await], ["spin", "spin"]);
    server.stop().await;
}

// D-26
#[test]
#[should_panic(expected = "a limit of 0")]
fn a_limit_of_zero_is_refused() {
    let _ = concurrent(0, async |text: String| text);
}

/// Text of up to five bytes, in which one word is more than it bears.
struct Fragile;

impl DatagramProtocol for Fragile {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)?;
        assert_ne!(packet, "break");
        if packet.len() > 5 { Err(EncodeError::codec("packet is too long")) } else { Ok(()) }
    }
}
