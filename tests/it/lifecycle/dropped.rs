//! L-19, L-20: the state after the future of `serve`, or the server, was dropped.

use std::{
    net::UdpSocket,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{DropReason, SendError, ServeError, Server, Text};
use tokio::time::{Instant, sleep};

use super::{Loops, Sleeps, Steps, TestServer, abort, echo, in_memory, settle, starting};
use crate::support::{Bytes, Gate, Net, conversing, everywhere, until, within_deadline};

everywhere! {
    // L-19
    async fn a_server_whose_serve_future_was_dropped_can_serve_again(net) {
        let loops = Loops::default();
        let server = TestServer::bind(&net, loops.clone());
        let addresses = server.handle.local_addrs();
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..10 {
            let serving = server.serve().await;
            assert_eq!(peer.ask("hello").await, "hello");
            abort(serving).await;

            assert!(!server.handle.is_serving());
            assert_eq!(server.handle.local_addrs(), addresses);
            assert!(loops.sender().is_closed());
            within_deadline(server.handle.shutdown()).await;
        }
        until(|| server.handle.stats().aborted == 10).await;
        assert_eq!(server.handle.stats().active_conversations, 0);
    }

    // L-19
    async fn the_socket_is_not_read_after_the_serve_future_was_dropped(net) {
        let server = TestServer::bind(&net, Loops::default());
        let peer = net.peer_of(&server.handle).await;
        let serving = server.serve().await;
        peer.ask("hello").await;
        abort(serving).await;
        until(|| server.handle.stats().aborted == 1).await;

        peer.send("into the void").await;
        let serving = server.serve().await;

        assert_eq!(peer.ask("hello again").await, "hello again");
        let stats = server.handle.stats();
        assert_eq!((stats.received, stats.dropped(DropReason::Stale)), (3, 1));
        server.stop(serving).await;
    }

    // L-20
    async fn the_handle_of_a_dropped_server_stays_usable(net) {
        let loops = Loops::default();
        let server = TestServer::bind(&net, loops.clone());
        let serving = server.serve().await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("hello").await;
        server.stop(serving).await;
        let TestServer { server, handle } = server;

        drop(server);

        assert!(handle.local_addrs().is_empty());
        assert!(!handle.is_serving());
        assert!(!within_deadline(handle.ready()).await);
        within_deadline(handle.shutdown()).await;
        assert_eq!(within_deadline(handle.drain(Duration::MAX)).await, 0);
        assert_eq!(handle.stats().delivered, 1);
        let sender = loops.sender();
        assert!(sender.is_closed());
        assert!(matches!(sender.send(&"lost".to_owned()).await, Err(SendError::Closed)));
    }

    // L-20
    async fn ready_returns_false_when_the_server_is_dropped(net) {
        let server = TestServer::bind(&net, echo);
        let ready = tokio::spawn({
            let handle = server.handle.clone();
            async move { handle.ready().await }
        });

        drop(server);

        assert!(!within_deadline(ready).await.unwrap());
    }
}

// L-20
#[tokio::test]
async fn the_port_of_a_dropped_server_is_free() {
    for ip in ["127.0.0.1", "::1"] {
        let server = TestServer::bind(&Net::Loopback(ip), Loops::default());
        let address = server.handle.local_addrs()[0].socket_addr().unwrap();
        let peer = Net::Loopback(ip).peer_of(&server.handle).await;
        let serving = server.serve().await;
        peer.ask("hello").await;
        server.stop(serving).await;

        drop(server);

        UdpSocket::bind(address).unwrap();
    }
}

// L-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ports_of_a_server_that_was_dropped_while_it_served_are_free() {
    let server = Server::builder(Text, Sleeps).bind(["127.0.0.1:0", "[::1]:0"]).await.unwrap();
    let handle = server.handle();
    let addresses = handle.local_addrs();
    let serving = tokio::spawn(async move { server.serve().await });
    assert!(within_deadline(handle.ready()).await);
    let peer = Net::Loopback("127.0.0.1").peer_of(&handle).await;
    peer.ask("hello").await;

    abort(serving).await;

    until(|| addresses.iter().all(|addr| UdpSocket::bind(addr.socket_addr().unwrap()).is_ok()))
        .await;
    within_deadline(handle.shutdown()).await;
}

// L-19
#[tokio::test(start_paused = true)]
async fn dropping_the_serve_future_while_the_handler_starts_leaves_nothing_behind() {
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let _start = steps.on_drop("start is dropped");
            let task = steps.on_drop("background task is dropped");
            let clean_up = steps.on_drop("clean-up is dropped");
            context.on_shutdown(async move {
                let _clean_up = clean_up;
                unreachable!("clean-ups do not run");
            });
            context.spawn(async move {
                let _task = task;
                std::future::pending().await
            });
            sleep(Duration::from_secs(1)).await;
            steps.note("has started");
            Ok(())
        },
        echo
    );
    let server = TestServer::bind(&Net::memory(), handler);
    let serving = server.begin();
    settle().await;

    abort(serving).await;
    settle().await;

    let mut seen = steps.all();
    seen.sort();
    assert_eq!(seen, ["background task is dropped", "clean-up is dropped", "start is dropped"]);
    server.stop(server.serve().await).await;
}

/// Drives `serving` until `other` has completed.
async fn meanwhile<T>(
    serving: &mut (impl Future<Output = Result<(), ServeError>> + Unpin),
    other: impl Future<Output = T>,
) -> T {
    tokio::select! {
        served = serving => panic!("serving has ended: {served:?}"),
        done = other => done,
    }
}

// L-19
#[tokio::test(start_paused = true)]
async fn no_handler_or_background_task_goes_on_after_the_serve_future_was_dropped() {
    let (steps, gate) = (Steps::default(), Gate::closed());
    let handler = starting!(
        [steps, gate] | context | {
            context.spawn(async move {
                gate.pass().await;
                steps.note("background task goes on");
                Ok(())
            });
            Ok(())
        },
        conversing!(
            [steps, gate] | peer | {
                let _conversation = steps.on_drop("conversation is dropped");
                let request = peer.recv().await?;
                peer.send(&request).await?;
                gate.pass().await;
                steps.note("conversation goes on");
                Ok(())
            }
        )
    );
    let net = Net::memory();
    let server = TestServer::bind(&net, handler);
    let peer = net.peer_of(&server.handle).await;
    let mut serving = Box::pin(server.server.serve());
    meanwhile(&mut serving, peer.ask("hello")).await;
    meanwhile(&mut serving, settle()).await;

    // Both are woken before the end and would be polled after it.
    gate.open();
    drop(serving);
    settle().await;

    assert_eq!(steps.all(), ["conversation is dropped"]);
    assert_eq!(server.handle.stats().aborted, 1);
}

// L-19
#[tokio::test(start_paused = true)]
async fn the_serve_future_can_be_dropped_in_the_grace_and_in_a_clean_up() {
    for after in [Duration::from_millis(500), Duration::from_millis(1_500)] {
        let steps = Steps::default();
        let handler = starting!(
            [steps] | context | {
                context.on_shutdown(async move {
                    let _clean_up = steps.on_drop("clean-up is dropped");
                    sleep(Duration::from_secs(1)).await;
                    steps.note("clean-up goes on");
                });
                Ok(())
            },
            conversing!(
                [steps] | peer | {
                    let _conversation = steps.on_drop("conversation is dropped");
                    let request = peer.recv().await?;
                    peer.send(&request).await?;
                    sleep(Duration::from_secs(1)).await;
                    steps.note("conversation goes on");
                    Ok(())
                }
            )
        );
        let (server, serving, peer) = in_memory(handler).await;
        peer.ask("hello").await;
        let begun = Instant::now();
        let stopping = tokio::spawn({
            let handle = server.handle.clone();
            async move { handle.shutdown().await }
        });

        sleep(after).await;
        abort(serving).await;
        stopping.await.unwrap();
        assert_eq!(begun.elapsed(), after, "a call that waits for the end returns");
        sleep(Duration::from_secs(5)).await;

        assert!(!steps.all().iter().any(|step| step.ends_with("goes on")), "{:?}", steps.all());
        assert!(steps.contain("conversation is dropped"));
        let serving = server.serve().await;
        assert_eq!(peer.ask("again").await, "again");
        drop(serving);
    }
}

// L-19, D-8
#[tokio::test(start_paused = true)]
async fn a_conversation_of_a_dropped_serving_does_not_end_one_of_the_next_serving() {
    let net = Net::memory();
    let peer = Arc::new(Mutex::new(None::<Bytes>));
    let handler = starting!(
        [peer] | _service | {
            let peer = peer.lock().unwrap().clone();
            if let Some(peer) = peer {
                peer.send("early").await;
            }
            Ok(())
        },
        conversing!(|peer| {
            for number in 1.. {
                peer.recv().await?;
                peer.send(&number.to_string()).await?;
            }
            Ok(())
        })
    );
    let server = TestServer::bind(&net, handler);
    let peer = {
        let bytes = net.peer_of(&server.handle).await;
        let mut serving = Box::pin(server.server.serve());
        meanwhile(&mut serving, bytes.ask("hello")).await;
        *peer.lock().unwrap() = Some(bytes.clone());
        bytes
    };

    let mut serving = Box::pin(server.server.serve());
    let numbers = meanwhile(&mut serving, async {
        let first = peer.recv_text().await;
        settle().await;
        [first, peer.ask("second").await, peer.ask("third").await]
    });

    assert_eq!(numbers.await, ["1", "2", "3"]);
    assert_eq!(server.handle.stats().active_conversations, 1);
}

// L-19
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_future_of_serve_until_reaches_the_caller_and_leaves_nothing_behind() {
    let net = Net::memory();
    let server = TestServer::bind(&net, Sleeps);
    let peer = net.peer_of(&server.handle).await;
    let serving = tokio::spawn({
        let server = server.clone();
        async move {
            let until = async {
                sleep(Duration::from_secs(1)).await;
                panic!("as asked");
            };
            server.server.serve_until(until).await
        }
    });
    peer.ask("hello").await;

    assert!(serving.await.unwrap_err().is_panic());

    let serving = server.serve().await;
    assert_eq!(peer.ask("again").await, "again");
    assert_eq!(server.handle.stats().aborted, 1);
    server.stop(serving).await;
}
