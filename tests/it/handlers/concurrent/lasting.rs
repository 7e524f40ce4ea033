//! D-28, D-29: what concurrent calls cost, and how long they last.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{DropReason, Limits, concurrent, with_state};
use tokio::{runtime::Handle, task::yield_now, time::sleep};

use super::as_told;
use crate::{
    handlers::two_peers,
    support::{Gate, Net, OVERHEAD, everywhere, until},
};

everywhere! {
    // G-9
    async fn a_function_that_answers_immediately_has_one_conversation_per_request(net) {
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
    async fn running_calls_can_complete_within_the_grace(net) {
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
async fn one_task_serves_all_waiting_requests_of_a_peer_and_immediate_answers_need_no_task() {
    async fn tasks(gate: Gate, text: String) -> String {
        if text == "wait" {
            gate.pass().await;
        }
        Handle::current().metrics().num_alive_tasks().to_string()
    }

    let (net, gate) = (Net::memory(), Gate::closed());
    let server = net.serve_text(concurrent(8, with_state(gate.clone(), tasks))).await;
    let (peer, other) = two_peers(&net, &server.handle).await;
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
async fn calls_that_wake_themselves_all_the_time_let_other_tasks_run() {
    let net = Net::memory();
    let busy = Arc::new(AtomicBool::new(true));
    let spin = async |busy: Arc<AtomicBool>, text: String| {
        while text == "spin" && busy.load(Relaxed) {
            yield_now().await;
        }
        text
    };
    let server = net.serve_text(concurrent(8, with_state(Arc::clone(&busy), spin))).await;
    let (peer, other) = two_peers(&net, &server.handle).await;

    peer.send("spin").await;
    peer.send("spin").await;

    assert_eq!(other.ask("hello").await, "hello");
    assert_eq!(peer.ask("hello").await, "hello");
    busy.store(false, Relaxed);
    assert_eq!([peer.recv_text().await, peer.recv_text().await], ["spin", "spin"]);
    server.stop().await;
}
