//! L-17, L-18: draining.

use std::{future::ready, time::Duration};

use datagrammar::{Client, DropReason, Handler, Raw, Server, Text};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{Sleeps, Steps, TestServer, echo, ended, in_memory, settle};
use crate::support::{Bytes, Gate, Net, Running, conversing, everywhere, until, within_deadline};

const HOUR: Duration = Duration::from_secs(3600);

/// Echoes until a peer sends "end".
fn talks() -> impl Handler<String, String> {
    conversing!(|peer| {
        loop {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            if request == "end" {
                return Ok(());
            }
        }
    })
}

/// Starts a drain in a task. The task returns how many conversations were aborted.
async fn drain(server: &TestServer, within: Duration) -> JoinHandle<u64> {
    let handle = server.handle.clone();
    let drain = tokio::spawn(async move { handle.drain(within).await });
    until(|| !server.handle.is_serving()).await;
    drain
}

everywhere! {
    // L-17, L-18
    async fn a_drain_serves_peers_in_conversation_until_the_last_conversation_has_ended(net) {
        let server = TestServer::bind(&net, talks());
        let serving = server.serve().await;
        let (first, last) =
            (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
        first.ask("hello").await;
        last.ask("hello").await;

        let drain = drain(&server, HOUR).await;
        assert_eq!(first.ask("end").await, "end");
        assert_eq!(last.ask("still here").await, "still here");
        assert!(!drain.is_finished());
        assert_eq!(last.ask("end").await, "end");

        assert_eq!(within_deadline(drain).await.unwrap(), 0);
        ended(serving).await.unwrap();
        assert_eq!(server.handle.stats().aborted, 0);
    }

    // L-18
    async fn a_drain_returns_at_once_if_no_peer_is_in_conversation(net) {
        let server = TestServer::bind(&net, echo);
        let peer = net.peer_of(&server.handle).await;

        for within in [Duration::from_secs(1), HOUR, Duration::MAX] {
            let serving = server.serve().await;
            peer.ask("hello").await;
            assert_eq!(within_deadline(server.handle.drain(within)).await, 0);
            ended(serving).await.unwrap();
        }
    }

    // L-18
    async fn a_shutdown_during_a_drain_ends_it(net) {
        let server = TestServer::bind(&net, talks());
        let serving = server.serve().await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("hello").await;

        let drain = drain(&server, HOUR).await;
        server.stop(serving).await;

        assert_eq!(within_deadline(drain).await.unwrap(), 0);
    }
}

// L-17
#[tokio::test(start_paused = true)]
async fn during_a_drain_new_peers_are_dropped() {
    let net = Net::memory();
    let server = TestServer::bind(&net, talks());
    let serving = server.serve().await;
    let (peer, silent) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
    peer.ask("hello").await;

    let drain = drain(&server, HOUR).await;
    settle().await;
    silent.send("is anybody there?").await;
    assert_eq!(peer.ask("I am").await, "I am");

    assert!(silent.hears_nothing().await);
    let stats = server.handle.stats();
    assert_eq!((stats.active_conversations, stats.dropped(DropReason::ShuttingDown)), (1, 1));
    peer.ask("end").await;
    assert_eq!(drain.await.unwrap(), 0);
    ended(serving).await.unwrap();
    assert_eq!(server.handle.stats().conversations, 1);
}

// L-17
#[tokio::test(start_paused = true)]
async fn during_a_drain_datagrams_that_wait_are_served_in_further_conversations() {
    let (gate, steps) = (Gate::closed(), Steps::default());
    let (server, serving, peer) = in_memory(conversing!(
        [gate, steps] | peer | {
            let request = peer.recv().await?;
            gate.pass().await;
            steps.note(request.clone());
            Ok(peer.send(&request).await?)
        }
    ))
    .await;
    for request in ["one", "two", "three"] {
        peer.send(request).await;
    }
    settle().await;

    let drain = drain(&server, HOUR).await;
    settle().await;
    gate.open();

    assert_eq!(drain.await.unwrap(), 0);
    ended(serving).await.unwrap();
    assert_eq!(steps.all(), ["one", "two", "three"]);
    assert_eq!(server.handle.stats().total_dropped(), 0);
}

// L-18
#[tokio::test(start_paused = true)]
async fn conversations_that_outlive_a_drain_end_like_in_a_shutdown_and_are_counted() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    let (gentle, _gentle_serving, gentle_peer) = in_memory(conversing!(|peer| {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        peer.recv().await.unwrap_err();
        sleep(Duration::from_millis(500)).await;
        Ok(())
    }))
    .await;
    peer.ask("hello").await;
    gentle_peer.ask("hello").await;
    let begun = Instant::now();

    let cut = within_deadline(server.handle.drain(Duration::from_secs(10))).await;
    assert_eq!((cut, begun.elapsed().as_millis()), (1, 10_750));
    let cut = within_deadline(gentle.handle.drain(Duration::from_secs(10))).await;
    assert_eq!((cut, begun.elapsed().as_millis()), (0, 10_750 + 10_500));

    ended(serving).await.unwrap();
}

// L-18
#[tokio::test(start_paused = true)]
async fn a_drain_of_zero_is_a_shutdown() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;
    let begun = Instant::now();

    let cut = within_deadline(server.handle.drain(Duration::ZERO)).await;

    assert_eq!((cut, begun.elapsed().as_millis()), (1, 750));
    ended(serving).await.unwrap();
}

// L-18
#[tokio::test(start_paused = true)]
async fn a_drain_can_be_made_shorter_but_not_longer() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;
    let begun = Instant::now();

    let first = drain(&server, Duration::from_secs(60)).await;
    let shorter = drain(&server, Duration::from_secs(10)).await;
    let longer = drain(&server, HOUR).await;

    assert_eq!([first.await.unwrap(), shorter.await.unwrap(), longer.await.unwrap()], [1; 3]);
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    ended(serving).await.unwrap();
}

// L-17, L-18
#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_a_conversation_fails_or_panics() {
    for fails in [false, true] {
        let (server, serving, peer) = in_memory(conversing!(|peer| {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            sleep(Duration::from_secs(5)).await;
            assert!(fails, "as asked");
            Err("as asked".into())
        }))
        .await;
        peer.ask("hello").await;
        let begun = Instant::now();

        assert_eq!(within_deadline(server.handle.drain(HOUR)).await, 0);

        assert!(begun.elapsed() <= Duration::from_secs(5));
        ended(serving).await.unwrap();
    }
}

// L-18
#[tokio::test(start_paused = true)]
async fn a_drain_while_the_handler_starts_ends_serving_like_a_shutdown() {
    let handler = super::starting!(|_service| { std::future::pending().await }, echo);
    let server = TestServer::bind(&Net::memory(), handler);
    let serving = server.begin();
    settle().await;

    assert_eq!(within_deadline(server.handle.drain(HOUR)).await, 0);

    ended(serving).await.unwrap();
    server.server.serve_until(ready(())).await.unwrap();
}

// L-17
#[tokio::test]
async fn during_a_drain_an_address_without_conversations_drops_new_peers() {
    let server = Server::builder(Text, talks()).bind(["127.0.0.1:0", "[::1]:0"]).await.unwrap();
    let server = Running::start(server).await;
    let handle = server.handle.clone();
    let addresses: Vec<_> =
        handle.local_addrs().iter().map(|addr| addr.socket_addr().unwrap()).collect();
    let peer = Bytes(Client::connect(addresses[0], Raw).await.unwrap());
    let silent = Bytes(Client::connect(addresses[1], Raw).await.unwrap());
    peer.ask("hello").await;

    let (cut, ()) = tokio::join!(within_deadline(handle.drain(HOUR)), async {
        until(|| !handle.is_serving()).await;
        assert_eq!(peer.ask("still here").await, "still here");
        silent.send("is anybody there?").await;
        until(|| handle.stats().dropped(DropReason::ShuttingDown) == 1).await;
        assert_eq!(peer.ask("end").await, "end");
    });

    assert_eq!(cut, 0);
    assert!(silent.hears_nothing().await);
    ended(server.serving).await.unwrap();
}

// L-14, L-18
#[tokio::test(start_paused = true)]
async fn the_future_of_serve_until_may_await_a_drain() {
    let net = Net::memory();
    let server = TestServer::bind(&net, talks());
    let peer = net.peer_of(&server.handle).await;
    let serving = tokio::spawn({
        let server = server.clone();
        async move {
            let until = async {
                sleep(Duration::from_secs(1)).await;
                server.handle.drain(HOUR).await;
            };
            server.server.serve_until(until).await
        }
    });
    peer.ask("hello").await;
    sleep(Duration::from_secs(2)).await;

    assert!(!server.handle.is_serving());
    assert_eq!(peer.ask("still here").await, "still here");
    peer.ask("end").await;

    ended(serving).await.unwrap();
    assert_eq!(server.handle.stats().aborted, 0);
}
