//! L-10 to L-13 and L-21: what conversations, background tasks and clean-ups may still do during a shutdown.

use std::{future::pending, time::Duration};

use crate::support::BindNow;

use datagrammar::{
    DropReason, Limits, RecvError, Server, Text,
    testing::{Conditions, Network},
};
use tokio::time::{Instant, sleep};
use tracing::Level;

use super::{Loops, Sleeps, Steps, TestServer, echo, ended, in_memory, settle, starting};
use crate::{
    log::Log,
    support::{Bytes, Net, OVERHEAD, Running, conversing, everywhere, until, within_deadline},
};

everywhere! {
    // L-10, R-11
    async fn a_goodbye_reaches_the_peer(net) {
        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            while !matches!(peer.recv().await, Err(RecvError::Closed)) {}
            Ok(peer.send(&"goodbye".to_owned()).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("hello").await;

        server.stop().await;

        assert_eq!(peer.recv_text().await, "goodbye");
    }

    // L-12
    async fn datagrams_that_wait_at_shutdown_are_never_handled(net) {
        let steps = Steps::default();
        let limits = Limits::default().shutdown_grace(Duration::ZERO);
        let server = TestServer::bind_within(limits, &net, conversing!([steps] |peer| {
            let request = peer.recv().await?;
            steps.note(request.clone());
            peer.send(&request).await?;
            if request == "first" { pending().await } else { Ok(()) }
        }));
        let peer = net.peer_of(&server.handle).await;
        let serving = server.serve().await;
        peer.ask("first").await;
        peer.send("second").await;
        peer.send("third").await;
        until(|| server.handle.stats().queued_bytes == 2 * OVERHEAD + 11).await;

        server.stop(serving).await;
        let serving = server.serve().await;
        peer.ask("fourth").await;

        assert_eq!(steps.all(), ["first", "fourth"]);
        let stats = server.handle.stats();
        assert_eq!(stats.dropped(DropReason::ShuttingDown), 2);
        assert_eq!((stats.received, stats.queued_bytes), (4, 0));
        server.stop(serving).await;
    }

    // L-21
    async fn replies_that_were_accepted_have_left_when_serve_returns(net) {
        for waits in [false, true] {
            let server = net.serve_text(conversing!(|peer| {
                peer.recv().await?;
                if waits {
                    tokio::task::yield_now().await;
                }
                for number in 0..50 {
                    peer.send(&number.to_string()).await?;
                }
                Ok(())
            })).await;
            let peer = net.peer_of(&server.handle).await;
            peer.send("count").await;
            assert_eq!(peer.recv_text().await, "0");

            server.stop().await;

            for number in 1..50 {
                assert_eq!(at_hand(&peer).await, number.to_string());
            }
        }
    }
}

/// Returns the next datagram, which must have arrived already.
async fn at_hand(peer: &Bytes) -> String {
    let datagram = peer.0.recv_timeout(Duration::ZERO).await.unwrap();
    String::from_utf8(datagram.to_vec()).unwrap()
}

/// Shuts down while a conversation needs the time `needed`. Returns how many milliseconds the shutdown took,
/// and how many conversations were aborted.
async fn shutdown_with(limits: Limits, needed: Duration) -> (u128, u64) {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        peer.recv().await.unwrap_err();
        sleep(needed).await;
        Ok(())
    });
    let server = net.serve_text_within(limits, handler).await;
    let handle = server.handle.clone();
    let peer = net.peer_of(&handle).await;
    peer.ask("hello").await;
    let begun = Instant::now();

    server.stop().await;

    (begun.elapsed().as_millis(), handle.stats().aborted)
}

// L-10, L-11
#[tokio::test(start_paused = true)]
async fn a_conversation_has_a_grace_of_three_quarters_of_a_second() {
    let shutdown = |millis| shutdown_with(Limits::default(), Duration::from_millis(millis));

    assert_eq!(shutdown(0).await, (0, 0));
    assert_eq!(shutdown(500).await, (500, 0));
    assert_eq!(shutdown(749).await, (749, 0));
    assert_eq!(shutdown(752).await, (750, 1));
    assert_eq!(shutdown(3_600_000).await, (750, 1));
}

// L-10, G-1
#[tokio::test(start_paused = true)]
async fn the_grace_can_be_set() {
    let long = Limits::default().shutdown_grace(Duration::from_secs(10));
    let none = Limits::default().shutdown_grace(Duration::ZERO);

    assert_eq!(shutdown_with(long, Duration::from_secs(9)).await, (9_000, 0));
    assert_eq!(shutdown_with(none, Duration::from_secs(1)).await, (0, 1));
}

// L-10, L-8
#[tokio::test(start_paused = true)]
async fn senders_stay_open_until_the_conversations_have_ended() {
    let loops = Loops::default();
    let (server, serving, peer) = in_memory(conversing!(
        [loops] | peer | {
            *loops.0.lock().unwrap() = Some(peer.sender());
            let request = peer.recv().await?;
            peer.send(&request).await?;
            sleep(Duration::from_millis(500)).await;
            Ok(())
        }
    ))
    .await;
    peer.ask("hello").await;

    let ((), sent) = tokio::join!(server.handle.shutdown(), async {
        sleep(Duration::from_millis(400)).await;
        loops.sender().send(&"a last word".to_owned()).await
    });

    sent.unwrap();
    assert_eq!(at_hand(&peer).await, "a last word");
    assert!(loops.sender().is_closed());
    ended(serving).await.unwrap();
}

// L-11
#[tokio::test(start_paused = true)]
async fn an_aborted_conversation_runs_its_destructors_and_nothing_else() {
    let log = Log::capture();
    let steps = Steps::default();
    let (server, serving, peer) = in_memory(conversing!(
        [steps] | peer | {
            let _resource = steps.on_drop("its resource is given back");
            let request = peer.recv().await?;
            peer.send(&request).await?;
            sleep(Duration::from_secs(1)).await;
            steps.note("it goes on");
            Ok(())
        }
    ))
    .await;
    peer.ask("hello").await;

    within_deadline(server.handle.shutdown()).await;
    assert_eq!(steps.all(), ["its resource is given back"]);
    sleep(Duration::from_secs(5)).await;

    assert_eq!(steps.all(), ["its resource is given back"]);
    let stats = server.handle.stats();
    assert_eq!((stats.aborted, stats.conversations, stats.active_conversations), (1, 1, 0));
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
    ended(serving).await.unwrap();
}

// L-11
#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_when_its_conversation_is_aborted_does_no_harm() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("not like this");
        }
    }

    let (server, serving, peer) = in_memory(conversing!(|peer| {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        let _bomb = (request == "bomb").then_some(Bomb);
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    }))
    .await;
    peer.ask("bomb").await;

    server.stop(serving).await;

    let stats = server.handle.stats();
    assert_eq!((stats.aborted, stats.conversations, stats.active_conversations), (1, 1, 0));
    let serving = server.serve().await;
    assert_eq!(peer.ask("hello").await, "hello");
    server.stop(serving).await;
}

// L-13
#[tokio::test(start_paused = true)]
async fn a_clean_up_is_awaited_however_long_it_takes() {
    for millis in [500, 10_000] {
        let steps = Steps::default();
        let handler = starting!(
            [steps] | context | {
                context.on_shutdown(async move {
                    sleep(Duration::from_millis(millis)).await;
                    steps.note("cleans up");
                });
                Ok(())
            },
            echo
        );
        let (server, serving, _peer) = in_memory(handler).await;
        let begun = Instant::now();

        within_deadline(server.handle.shutdown()).await;

        assert_eq!(begun.elapsed().as_millis(), u128::from(millis));
        assert_eq!(steps.all(), ["cleans up"]);
        ended(serving).await.unwrap();
    }
}

// L-13
#[tokio::test(start_paused = true)]
async fn a_clean_up_that_panics_is_reported_and_the_others_run() {
    let log = Log::capture();
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let cleans = steps.clone();
            context.on_shutdown(async move { cleans.note("first") });
            context.on_shutdown(async { panic!("a mess") });
            context.on_shutdown(async move { steps.note("last") });
            Ok(())
        },
        echo
    );
    let (server, serving, _peer) = in_memory(handler).await;

    server.stop(serving).await;

    assert_eq!(steps.all(), ["last", "first"]);
    let told = log.alarm();
    assert_eq!((told.level, told.field("error")), (Level::ERROR, "panicked: a mess"));
}

// L-13
#[tokio::test(start_paused = true)]
async fn background_tasks_are_dropped_and_none_is_left() {
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            for _ in 0..3 {
                let steps = steps.clone();
                context.spawn(async move {
                    let _task = steps.on_drop("dropped");
                    sleep(Duration::from_secs(1)).await;
                    steps.note("goes on");
                    Ok(())
                });
            }
            context.spawn(pending());
            Ok(())
        },
        echo
    );
    let (server, serving, _peer) = in_memory(handler).await;
    settle().await;

    server.stop(serving).await;

    assert_eq!(steps.all(), ["dropped"; 3]);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(steps.all(), ["dropped"; 3]);
}

// L-21
#[tokio::test(start_paused = true)]
async fn replies_that_wait_for_room_leave_within_the_grace_or_are_dropped() {
    for (room, left, refused) in [(true, 3, 0), (false, 0, 3)] {
        let network = Network::new(1, Conditions::default());
        let net = Net::Memory(network.clone());
        let server = Server::builder(
            Text,
            conversing!(|peer| {
                peer.recv().await?;
                for reply in ["one", "two", "three"] {
                    peer.send(&reply.to_owned()).await?;
                }
                Ok(())
            }),
        );
        let server = Running::start(server.bind_now(net.socket()).unwrap()).await;
        let (handle, address) = (server.handle.clone(), server.handle.local_addrs().remove(0));
        let peer = net.peer_of(&handle).await;
        network.hold_sends(address.clone(), true);
        peer.send("count").await;
        settle().await;
        let begun = Instant::now();

        tokio::join!(server.stop(), async {
            sleep(Duration::from_millis(50)).await;
            network.hold_sends(address, !room);
        });

        assert!(begun.elapsed() < Duration::from_secs(1));
        let stats = handle.stats();
        assert_eq!((stats.sent, stats.send_timeouts), (left, refused));
        assert_eq!(peer.hears_nothing().await, !room);
    }
}

// L-11
#[tokio::test(start_paused = true)]
async fn each_aborted_conversation_is_counted() {
    let net = Net::memory();
    let server = net.serve_text(Sleeps).await;
    let handle = server.handle.clone();
    let mut peers = Vec::new();
    for _ in 0..5 {
        let peer = net.peer_of(&handle).await;
        peer.ask("hello").await;
        peers.push(peer);
    }

    server.stop().await;

    assert_eq!((handle.stats().aborted, handle.stats().conversations), (5, 5));
}
