//! L-27, L-28: a graceful end serves what was read, and leaves the rest in the socket.

use std::{
    net::UdpSocket,
    sync::{Arc, OnceLock},
    time::Duration,
};

use datagrammar::{
    DropReason, Handler, Limits, Raw, RecvError, Server, ServerHandle, Text, concurrent,
};
use tokio::{
    task::{JoinHandle, yield_now},
    time::{Instant, sleep},
};

use super::{Sleeps, Steps, TestServer, echo, ended, in_memory, settle};
use crate::support::{
    BindNow, Bytes, Gate, Net, Running, client_on, conversing, everywhere, until, within_deadline,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Answers one request per conversation when the gate is open. A request "talk" keeps the conversation until serving
/// ends.
fn slow(gate: &Gate, steps: &Steps) -> impl Handler<String, String> {
    conversing!(
        [gate, steps] | peer | {
            let request = peer.recv().await?;
            if request == "talk" {
                peer.send(&request).await?;
                assert!(matches!(peer.recv().await, Err(RecvError::Closed)));
                steps.note("closed");
                return Ok(());
            }
            gate.pass().await;
            Ok(peer.send(&request).await?)
        }
    )
}

/// Begins a graceful end in a task. The task returns how many conversations were aborted.
async fn end(server: &TestServer, within: Duration) -> JoinHandle<u64> {
    let handle = server.handle.clone();
    let end = tokio::spawn(async move { handle.graceful_shutdown(within).await });
    until(|| !server.handle.is_serving()).await;
    end
}

everywhere! {
    // L-27, R-11
    async fn what_was_read_is_served_and_a_recv_without_it_returns_closed(net) {
        let (gate, steps) = (Gate::closed(), Steps::default());
        let server = TestServer::bind(&net, slow(&gate, &steps));
        let serving = server.serve().await;
        let (peer, idle) =
            (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
        idle.ask("talk").await;
        peer.send_all(["one", "two", "three"].map(str::to_owned)).await;
        until(|| server.handle.stats().received == 4).await;

        let end = end(&server, HOUR).await;
        until(|| steps.contain("closed")).await;
        gate.open();

        for request in ["one", "two", "three"] {
            assert_eq!(peer.recv_text().await, request);
        }
        assert_eq!(within_deadline(end).await.unwrap(), 0);
        ended(serving).await.unwrap();
        let stats = server.handle.stats();
        assert_eq!((stats.conversations, stats.total_dropped(), stats.aborted), (4, 0, 0));
    }

    // L-27
    async fn it_returns_at_once_if_nothing_waits(net) {
        let server = TestServer::bind(&net, echo);
        let peer = net.peer_of(&server.handle).await;

        for within in [Duration::from_secs(1), HOUR, Duration::MAX] {
            let serving = server.serve().await;
            peer.ask("hello").await;
            assert_eq!(within_deadline(server.handle.graceful_shutdown(within)).await, 0);
            ended(serving).await.unwrap();
        }
        assert_eq!(within_deadline(server.handle.graceful_shutdown(HOUR)).await, 0);
    }

    // L-28, L-12
    async fn a_shutdown_ends_it_and_drops_what_waits(net) {
        let (gate, steps) = (Gate::closed(), Steps::default());
        let limits = Limits::default().shutdown_grace(Duration::from_millis(1));
        let server = TestServer::bind_within(limits, &net, slow(&gate, &steps));
        let serving = server.serve().await;
        let peer = net.peer_of(&server.handle).await;
        peer.send_all(["one", "two", "three"].map(str::to_owned)).await;
        until(|| server.handle.stats().received == 3).await;

        let end = end(&server, HOUR).await;
        server.stop(serving).await;

        assert_eq!(within_deadline(end).await.unwrap(), 1);
        let stats = server.handle.stats();
        assert_eq!((stats.aborted, stats.dropped(DropReason::ShuttingDown)), (1, 2));
    }
}

// L-27, L-12: datagrams of one batch
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_batch_still_opens_conversations() {
    for graceful in [true, false] {
        let net = Net::memory();
        let handle = Arc::new(OnceLock::<ServerHandle>::new());
        let handler = conversing!(
            [handle] | peer | {
                let request = peer.recv().await?;
                if request == "0" {
                    let handle = handle.get().unwrap();
                    match graceful {
                        true => assert_eq!(handle.graceful_shutdown(HOUR).await, 0),
                        false => handle.begin_shutdown(),
                    }
                    // Others run in the middle of the batch.
                    yield_now().await;
                }
                Ok(peer.send(&request).await?)
            }
        );
        let server = TestServer::bind(&net, handler);
        handle.set(server.handle.clone()).unwrap();
        for n in 0..50 {
            net.peer_of(&server.handle).await.send(n.to_string()).await;
        }

        ended(server.begin()).await.unwrap();

        let stats = server.handle.stats();
        assert_eq!(
            (stats.received, stats.sent + stats.dropped(DropReason::ShuttingDown)),
            (50, 50)
        );
        assert_eq!(stats.sent == 50, graceful, "{stats:?}");
    }
}

// L-27: what was not read
#[tokio::test]
async fn the_next_server_of_the_socket_serves_what_was_not_read() {
    let (gate, steps) = (Gate::closed(), Steps::default());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = Bytes(client_on(socket.local_addr().unwrap(), Raw).unwrap());
    let idle = Bytes(client_on(socket.local_addr().unwrap(), Raw).unwrap());
    let server = Server::builder(Text, slow(&gate, &steps));
    let server = Running::start(server.bind_now(socket.try_clone().unwrap()).unwrap()).await;
    idle.ask("talk").await;
    peer.send("read").await;
    until(|| server.handle.stats().received == 2).await;

    let handle = server.handle.clone();
    let end = tokio::spawn(async move { handle.graceful_shutdown(HOUR).await });
    until(|| steps.contain("closed")).await;
    peer.send("not read").await;
    gate.open();

    assert_eq!(within_deadline(end).await.unwrap(), 0);
    assert_eq!(server.handle.stats().received, 2);
    within_deadline(server.serving).await.unwrap().unwrap();
    assert_eq!(peer.recv_text().await, "read");
    let next = Running::start(Server::builder(Text, echo).bind_now(socket).unwrap()).await;
    assert_eq!(peer.recv_text().await, "not read");
    next.stop().await;
}

// L-28
#[tokio::test(start_paused = true)]
async fn conversations_that_outlive_it_end_like_in_a_shutdown_and_are_counted() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;
    peer.send("waits").await;
    until(|| server.handle.stats().received == 2).await;
    let begun = Instant::now();

    let cut = within_deadline(server.handle.graceful_shutdown(Duration::from_secs(10))).await;

    assert_eq!((cut, begun.elapsed().as_millis()), (1, 10_750));
    ended(serving).await.unwrap();
    assert_eq!(server.handle.stats().dropped(DropReason::ShuttingDown), 1);
}

// L-28
#[tokio::test(start_paused = true)]
async fn zero_is_a_shutdown_and_it_ends_a_drain() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;
    assert_eq!(within_deadline(server.handle.graceful_shutdown(Duration::ZERO)).await, 1);
    ended(serving).await.unwrap();

    let (server, serving, peer) = in_memory(super::Loops::default()).await;
    peer.ask("hello").await;
    let handle = server.handle.clone();
    let drain = tokio::spawn(async move { handle.drain(HOUR).await });
    settle().await;
    assert!(!drain.is_finished());
    assert_eq!(within_deadline(server.handle.graceful_shutdown(HOUR)).await, 0);
    assert_eq!(drain.await.unwrap(), 0);
    ended(serving).await.unwrap();
}

// L-27, R-16
#[tokio::test(start_paused = true)]
async fn a_conversation_that_waits_for_something_else_learns_of_it_and_the_next_one_opens() {
    let steps = Steps::default();
    let (server, serving, peer) = in_memory(conversing!(
        [steps] | peer | {
            steps.note(peer.recv().await?);
            peer.closed().await;
            steps.note("closed");
            Ok(())
        }
    ))
    .await;
    peer.send_all(["first", "second"].map(str::to_owned)).await;
    until(|| server.handle.stats().received == 2).await;
    let begun = Instant::now();

    assert_eq!(within_deadline(server.handle.graceful_shutdown(HOUR)).await, 0);

    assert!(begun.elapsed() < Duration::from_secs(1));
    ended(serving).await.unwrap();
    assert_eq!(steps.all(), ["first", "closed", "second", "closed"]);
    assert_eq!(server.handle.stats().total_dropped(), 0);
}

// L-27, R-15
#[tokio::test(start_paused = true)]
async fn a_packet_that_was_put_back_is_served() {
    let steps = Steps::default();
    let (server, serving, peer) = in_memory(conversing!(
        [steps] | peer | {
            let request = peer.recv().await?;
            steps.note(&*request);
            if steps.all().len() == 1 {
                sleep(Duration::from_secs(1)).await;
                peer.put_back(request);
            }
            Ok(())
        }
    ))
    .await;
    peer.send("hello").await;
    until(|| server.handle.stats().received == 1).await;

    assert_eq!(within_deadline(server.handle.graceful_shutdown(HOUR)).await, 0);

    ended(serving).await.unwrap();
    assert_eq!(steps.all(), ["hello", "hello"]);
}

// L-27: calls that wait for others begin
#[tokio::test(start_paused = true)]
async fn concurrent_calls_that_wait_begin_and_answer() {
    let gate = Gate::closed();
    let calls = concurrent(2, {
        let gate = gate.clone();
        move |text: String| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                text
            }
        }
    });
    let (server, serving, peer) = in_memory(calls).await;
    peer.send_all((0..6).map(|n| n.to_string())).await;
    until(|| server.handle.stats().received == 6).await;

    let end = end(&server, HOUR).await;
    gate.open();

    assert_eq!(end.await.unwrap(), 0);
    ended(serving).await.unwrap();
    let stats = server.handle.stats();
    assert_eq!((stats.sent, stats.total_dropped()), (6, 0));
}
