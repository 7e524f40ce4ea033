//! L-7 to L-9 and L-14 to L-16: the end of serving, and the next serving.

use std::{
    future::{pending, ready},
    io::ErrorKind,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{
    DropReason, RecvError, Server, ServerHandle, ServerStats, Text,
    testing::{Conditions, Network},
};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep},
};
use tracing::Level;

use super::{Loops, Sleeps, Steps, TestServer, echo, ended, in_memory, settle, starting};
use crate::{
    log::Log,
    support::{Net, conversing, everywhere, until, within_deadline},
};

everywhere! {
    // L-7
    async fn when_the_future_of_serve_until_completes_serving_ends_like_in_a_shutdown(net) {
        let loops = Loops::default();
        let server = TestServer::bind(&net, loops.clone());
        let peer = net.peer_of(&server.handle).await;
        let (end, until) = oneshot::channel::<()>();
        let serving = tokio::spawn({
            let server = server.clone();
            async move { server.server.serve_until(async { until.await.unwrap() }).await }
        });
        assert_eq!(peer.ask("hello").await, "hello");

        end.send(()).unwrap();

        ended(serving).await.unwrap();
        assert!(!server.handle.is_serving());
        assert!(loops.sender().is_closed());
        assert_eq!(server.handle.stats().conversations, 1);
    }

    // L-7
    async fn serve_until_with_a_ready_future_opens_no_conversation(net) {
        let server = TestServer::bind(&net, echo);
        let peer = net.peer_of(&server.handle).await;
        peer.send("early").await;

        within_deadline(server.server.serve_until(ready(()))).await.unwrap();

        assert_eq!(server.handle.stats(), ServerStats::default());
        assert!(peer.hears_nothing().await);
    }

    // L-14
    async fn shutdown_returns_at_once_if_the_server_does_not_serve(net) {
        let server = TestServer::bind(&net, echo);

        for _ in 0..2 {
            ten_shutdowns(&server.handle).await;
            assert_eq!(within_deadline(server.handle.drain(Duration::MAX)).await, 0);
            let serving = server.serve().await;
            server.stop(serving).await;
        }
    }

    // L-14
    async fn ten_shutdowns_at_the_same_time_all_return(net) {
        let server = TestServer::bind(&net, Loops::default());
        let peer = net.peer_of(&server.handle).await;
        let serving = server.serve().await;
        peer.ask("hello").await;

        ten_shutdowns(&server.handle).await;

        ended(serving).await.unwrap();
    }

    // L-15
    async fn a_server_serves_three_times_at_the_same_addresses(net) {
        let server = TestServer::bind(&net, echo);
        let addresses = server.handle.local_addrs();
        let peer = net.peer_of(&server.handle).await;

        for time in ["first", "second", "third"] {
            let serving = server.serve().await;
            assert_eq!(server.handle.local_addrs(), addresses);
            assert_eq!(peer.ask(time).await, time);
            server.stop(serving).await;
        }

        assert_eq!(server.handle.local_addrs(), addresses);
    }

    // L-16
    async fn datagrams_from_between_two_servings_are_dropped_before_the_handler_starts(net) {
        let stale = Arc::new(Mutex::new(Vec::new()));
        let handler = starting!([stale] |context| {
            let stats = context.handle().stats();
            stale.lock().unwrap().push(stats.dropped(DropReason::Stale));
            Ok(())
        }, echo);
        let server = TestServer::bind(&net, handler);
        let peer = net.peer_of(&server.handle).await;
        let serving = server.serve().await;
        peer.ask("hello").await;
        server.stop(serving).await;

        for stale in ["one", "", "three"] {
            peer.send(stale).await;
        }
        let serving = server.serve().await;

        assert_eq!(peer.ask("fresh").await, "fresh");
        assert_eq!(*stale.lock().unwrap(), [0, 3]);
        let stats = server.handle.stats();
        assert_eq!((stats.received, stats.delivered, stats.total_dropped()), (5, 2, 3));
        server.stop(serving).await;
    }
}

// L-16
#[tokio::test(start_paused = true)]
async fn after_an_error_of_the_socket_stale_datagrams_are_still_dropped() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let server = TestServer::bind(&net, echo);
    let peer = net.peer_of(&server.handle).await;
    let serving = server.serve().await;
    peer.ask("hello").await;
    server.stop(serving).await;
    for stale in ["one", "two", "three"] {
        peer.send(stale).await;
    }
    network.fail_recv(server.handle.local_addrs()[0].clone(), ErrorKind::OutOfMemory, 3);

    let serving = server.serve().await;

    assert_eq!(peer.ask("fresh").await, "fresh");
    assert_eq!(server.handle.stats().dropped(DropReason::Stale), 3);
    server.stop(serving).await;
}

async fn ten_shutdowns(handle: &ServerHandle) {
    let mut asked = JoinSet::new();
    for _ in 0..10 {
        let handle = handle.clone();
        asked.spawn(async move { handle.shutdown().await });
    }
    within_deadline(asked.join_all()).await;
}

// L-7, L-18
#[tokio::test(start_paused = true)]
async fn the_future_of_serve_until_also_ends_a_drain() {
    let net = Net::memory();
    let server = TestServer::bind(&net, Sleeps);
    let peer = net.peer_of(&server.handle).await;
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.server.serve_until(sleep(Duration::from_secs(60))).await }
    });
    peer.ask("hello").await;
    let begun = Instant::now();

    let cut = server.handle.drain(Duration::from_secs(600)).await;

    assert_eq!((cut, begun.elapsed().as_millis()), (1, 60_750));
    ended(serving).await.unwrap();
}

// L-8, L-10, L-13
#[tokio::test(start_paused = true)]
async fn serving_ends_step_by_step() {
    let log = Log::capture();
    let (steps, loops) = (Steps::default(), Loops::default());
    let handler = starting!(
        [steps, loops] | context | {
            for step in ["first clean-up", "last clean-up"] {
                let steps = steps.clone();
                context.on_shutdown(async move {
                    sleep(Duration::from_millis(500)).await;
                    steps.note(step);
                });
            }
            let state = move |steps: &Steps, what: &str| {
                let senders = if loops.sender().is_closed() { "closed" } else { "open" };
                steps.note(format!("{what}, senders are {senders}"));
            };
            context.spawn(async move {
                let _dropped = OnDrop(Some(move || state(&steps, "background task ends")));
                pending().await
            });
            Ok(())
        },
        conversing!(
            [steps, loops] | peer | {
                *loops.0.lock().unwrap() = Some(peer.sender());
                peer.recv().await?;
                peer.send(&"ready".to_owned()).await?;
                assert!(matches!(peer.recv().await, Err(RecvError::Closed)));
                sleep(Duration::from_millis(500)).await;
                let senders = if loops.sender().is_closed() { "closed" } else { "open" };
                steps.note(format!("conversation ends, senders are {senders}"));
                Ok(())
            }
        )
    );
    let net = Net::memory();
    let server = TestServer::bind(&net, handler);
    let serving = server.serve().await;
    let (peer, late) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
    peer.ask("hello").await;

    let told = || log.messages(Level::INFO).contains(&"stopped".to_owned());
    let (ended, ()) = tokio::join!(ended(serving), async {
        tokio::join!(
            async {
                within_deadline(server.handle.shutdown()).await;
                steps.note(format!("shutdown returns, stopped is told: {}", told()));
            },
            async {
                settle().await;
                late.send("too late").await;
            },
        );
    });

    ended.unwrap();
    assert_eq!(
        steps.all(),
        [
            "conversation ends, senders are open",
            "background task ends, senders are closed",
            "last clean-up",
            "first clean-up",
            "shutdown returns, stopped is told: true",
        ]
    );
    assert_eq!(server.handle.stats().received, 1, "no more datagrams are read");
}

struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0.take().unwrap()();
    }
}

// L-9
#[tokio::test(start_paused = true)]
async fn shutdown_is_prompt_even_if_conversations_are_busy() {
    let waits = || {
        conversing!(|peer| {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            peer.recv().await?;
            Ok(())
        })
    };

    for waiting in 0..=2 {
        let (server, serving, peer) = in_memory(Sleeps).await;
        peer.ask("hello").await;
        for _ in 0..waiting {
            peer.send("waits").await;
        }
        settle().await;
        assert_prompt(&server.handle).await;
        ended(serving).await.unwrap();
    }

    let (server, serving, peer) = in_memory(waits()).await;
    peer.ask("hello").await;
    assert_prompt(&server.handle).await;
    ended(serving).await.unwrap();

    let (server, serving, peer) = in_memory(waits()).await;
    peer.send("not yet handled").await;
    assert_prompt(&server.handle).await;
    ended(serving).await.unwrap();
}

async fn assert_prompt(handle: &ServerHandle) {
    let begun = Instant::now();
    within_deadline(handle.shutdown()).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

// L-14
#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_future_still_ends_serving() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;

    let asked = tokio::time::timeout(Duration::from_millis(1), server.handle.shutdown()).await;

    assert!(asked.is_err());
    ended(serving).await.unwrap();
    until(|| !server.handle.is_serving()).await;
}

// L-14: serving has begun when `spawn` returns
#[tokio::test]
async fn a_shutdown_right_after_a_spawn_ends_that_serving() {
    for drain in [false, true] {
        let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await.unwrap();
        let handle = server.handle();
        let serving = server.spawn();

        if drain {
            within_deadline(handle.drain(Duration::from_secs(1))).await;
        } else {
            within_deadline(handle.shutdown()).await;
        }

        within_deadline(serving).await.unwrap().unwrap();
        assert!(!handle.is_serving());
    }
}
