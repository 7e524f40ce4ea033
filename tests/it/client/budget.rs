//! Calls in an endless loop: other tasks and branches still run.

use std::{
    future::poll_fn,
    io::ErrorKind,
    iter::repeat_n,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{Client, ClientRecvError, ClientSendError, Text};
use futures_core::Stream;
use tokio::task::yield_now;

use super::{client, client_of};
use crate::{clients::Fragile, support::Net};

/// If `CALLS` calls succeed before another task, or another branch of the same task, has run, the test
/// fails.
const CALLS: u32 = 1_000;

async fn gives_way(mut call: impl AsyncFnMut()) {
    let turns = Arc::new(AtomicU32::new(0));
    let same = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            same.fetch_add(1, Relaxed);
            yield_now().await;
        }
    });
    let mut calls = 0;
    while turns.load(Relaxed) < 2 {
        assert!(calls < CALLS, "no other task has run after {calls} calls");
        call().await;
        calls += 1;
    }
    other.abort();

    let calling = async {
        for _ in 0..CALLS {
            call().await;
        }
    };
    tokio::select! {
        biased;
        () = calling => panic!("no other branch has run after {CALLS} calls"),
        () = yield_now() => {}
    }
}

/// Runs a test on one thread, over memory and over the kernel's loopback.
macro_rules! each_net {
    ($($(#[$attr:meta])* async fn $name:ident($net:ident) $body:block)+) => {
        $($(#[$attr])* #[tokio::test]
        async fn $name() {
            for $net in [Net::memory(), Net::Loopback("127.0.0.1"), Net::Loopback("::1")] $body
        })+
    };
}

async fn poll_next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

each_net! {
    // C-10
    async fn endless_send_calls_let_others_run(net) {
        let (client, _peer) = client(&net);

        gives_way(async || client.send(&"again".to_owned()).await.unwrap()).await;
        gives_way(async || client.send_all(["again", "and"].map(str::to_owned)).await.unwrap()).await;
        gives_way(async || client.send_all(&[] as &[String]).await.unwrap()).await;
    }

    // C-10
    async fn endless_failing_send_calls_let_others_run(net) {
        let (client, _peer) = client_of(&net, Fragile);
        let (wrong, long) = ("error".to_owned(), "x".repeat(70_000));

        for packet in [&wrong, &long] {
            gives_way(async || drop(client.send(packet).await.unwrap_err())).await;
            gives_way(async || drop(client.send_all([packet]).await.unwrap_err())).await;
        }
        client.close();
        gives_way(async || {
            let closed = client.send(&"again".to_owned()).await;
            assert!(matches!(closed, Err(ClientSendError::Closed)));
        })
        .await;
        gives_way(async || {
            let closed = client.send_all(["again".to_owned()]).await;
            assert!(matches!(closed, Err(ClientSendError::Closed)));
        })
        .await;
    }

    // C-10
    async fn one_endless_send_all_lets_others_run(net) {
        let (client, _peer) = client(&net);
        let turn = AtomicBool::new(false);
        let packet = "again".to_owned();

        let packets = repeat_n(&packet, 2 * 64 * CALLS as usize).take_while(|_| !turn.load(Relaxed));
        let other = async {
            yield_now().await;
            turn.store(true, Relaxed);
        };
        let mut sent = 0;
        let (all, ()) = tokio::join!(client.send_all(packets.inspect(|_| sent += 1)), other);

        all.unwrap();
        // As many as without `send_all`, plus one batch.
        assert!(sent <= 3 * 128 + 64, "{sent} packets were sent before another branch ran");
    }

    // C-10
    async fn endless_recv_calls_without_packets_let_others_run(net) {
        let (client, _peer) = client(&net);
        let timed_out = async || {
            let heard = client.recv_timeout(Duration::ZERO).await;
            assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
        };

        gives_way(timed_out).await;
        gives_way(async || {
            let mut packets = client.packets().within(Duration::ZERO);
            assert!(packets.next().await.is_none());
        })
        .await;
        gives_way(async || {
            let mut packets = client.packets().within(Duration::ZERO);
            assert!(poll_next(&mut packets).await.is_none());
        })
        .await;
    }

    // C-10
    async fn endless_calls_on_a_closed_client_let_others_run(net) {
        let (client, _peer) = client(&net);
        let mut packets = client.packets();
        client.close();
        assert!(packets.next().await.is_none());

        gives_way(async || assert!(packets.next().await.is_none())).await;
        gives_way(async || assert!(poll_next(&mut packets).await.is_none())).await;
        gives_way(async || assert!(client.recv().await.is_err())).await;
        gives_way(async || assert!(client.recv_timeout(Duration::ZERO).await.is_err())).await;
    }
}

// C-10
#[tokio::test(start_paused = true)]
async fn endless_recv_calls_let_others_run() {
    let (client, peer) = client(&Net::memory());
    let fill = async || {
        for n in 0..2 * CALLS {
            peer.send(n.to_string()).await;
        }
    };

    fill().await;
    gives_way(async || drop(client.recv().await.unwrap())).await;
    fill().await;
    gives_way(async || drop(client.recv_timeout(Duration::MAX).await.unwrap())).await;
    let mut packets = client.packets();
    fill().await;
    gives_way(async || drop(packets.next().await.unwrap().unwrap())).await;
    fill().await;
    gives_way(async || drop(poll_next(&mut packets).await.unwrap().unwrap())).await;
}

// C-10
#[tokio::test(start_paused = true)]
async fn endless_socket_errors_let_others_run() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, _peer) = client(&net);
    let fail = |kind| {
        network.fail_send(client.local_addr().clone(), kind, 2 * CALLS as usize);
        network.fail_recv(client.local_addr().clone(), kind, 2 * CALLS as usize);
    };

    fail(ErrorKind::OutOfMemory);
    gives_way(async || drop(client.send(&"again".to_owned()).await.unwrap_err())).await;
    gives_way(async || drop(client.send_all(["again".to_owned()]).await.unwrap_err())).await;
    gives_way(async || drop(client.recv().await.unwrap_err())).await;
}

// C-10
#[tokio::test]
async fn endless_connect_calls_let_others_run() {
    gives_way(async || drop(Client::connect("127.0.0.1:9", Text).await.unwrap())).await;
    // The address lacks its scope.
    gives_way(async || drop(Client::connect("[fe80::1]:9", Text).await.unwrap_err())).await;
}

// C-10
#[tokio::test(start_paused = true)]
async fn a_task_that_never_waits_is_aborted() {
    let (client, _peer) = client(&Net::memory());
    let polling = client.clone();
    let tasks = [
        tokio::spawn(async move {
            for _ in 0..1_000_000 {
                client.send(&"again".to_owned()).await.unwrap();
            }
        }),
        tokio::spawn(async move {
            for _ in 0..1_000_000 {
                drop(polling.recv_timeout(Duration::ZERO).await);
            }
        }),
    ];

    yield_now().await;

    for task in tasks {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
