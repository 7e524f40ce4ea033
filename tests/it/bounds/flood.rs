//! Floods: the worker loop yields to other tasks.

use std::{
    future::poll_fn,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::Poll,
};

use datagrammar::{
    Client, DropReason, Handler, IntoHandler, Limits, Raw, Server, Text,
    testing::{Conditions, Network},
};
use tokio::{
    net::UdpSocket,
    task::{coop, yield_now},
};

use crate::support::{
    BindNow, Bytes, Gate, Net, Running, client_on, conversing, until, within_deadline,
};

/// How many datagrams may be received between two turns of another task. Two batches are 128.
const AT_A_TIME: u64 = 256;

/// After this many datagrams an endless source stops, so that the test fails instead of hanging if the
/// server never yields.
const ENOUGH: u32 = 100_000;

/// Returns the most datagrams that were received between two turns of another task, over `turns` turns.
async fn longest_turn(server: &Running, turns: usize) -> u64 {
    let (mut longest, mut before) = (0, server.handle.stats().received);
    for _ in 0..turns {
        yield_now().await;
        let received = server.handle.stats().received;
        longest = longest.max(received - before);
        before = received;
    }
    longest
}

/// Yields to the tasks that are ready now. Unlike `yield_now` it does not wait until the runtime has
/// checked timers and sockets, which happens after 61 polls of tasks.
async fn next_in_line() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A server that finds ten thousand datagrams in its socket when it starts.
async fn flooded<Form>(
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> (Running, Bytes) {
    let net = Net::Memory(Network::new(1, Conditions::default().buffer(10_000)));
    let limits = Limits::default().max_queue_len(10_000);
    let server = Server::builder(Text, handler).limits(limits).bind_now(net.socket()).unwrap();
    let peer = net.peer_of(&server.handle()).await;
    for _ in 0..10_000 {
        peer.send("flood").await;
    }
    (Running::start(server).await, peer)
}

// G-11
#[tokio::test(start_paused = true)]
async fn other_tasks_run_while_a_flood_is_answered() {
    let (server, _peer) = flooded(async |text: String| text).await;

    let longest = longest_turn(&server, 50).await;

    assert!((1..=AT_A_TIME).contains(&longest), "{longest} datagrams at a time");
    assert!(server.handle.stats().received < 10_000);
    server.stop().await;
}

// G-11
#[tokio::test(start_paused = true)]
async fn other_tasks_run_while_a_flood_waits_for_one_conversation() {
    let (server, _peer) = flooded(async |text: String| {
        std::future::pending::<()>().await;
        text
    })
    .await;

    let longest = longest_turn(&server, 50).await;

    assert!((1..=AT_A_TIME).contains(&longest), "{longest} datagrams at a time");
    assert!(server.handle.stats().received < 10_000);
    server.stop().await;
}

// G-11
#[tokio::test(start_paused = true)]
async fn other_tasks_run_while_one_peer_is_served_without_a_pause() {
    let (server, _peer) = flooded(async |text: String| {
        yield_now().await;
        text
    })
    .await;

    let (mut longest, mut before) = (0, 0);
    for _ in 0..5_000 {
        yield_now().await;
        let returned = server.handle.stats().delivered;
        longest = longest.max(returned - before);
        before = returned;
    }

    assert!((1..=AT_A_TIME).contains(&longest), "{longest} datagrams at a time");
    server.stop().await;
}

// G-11
#[tokio::test(start_paused = true)]
async fn other_tasks_run_while_conversations_follow_each_other() {
    let gate = Gate::closed();
    // From the second on, conversations return at once: they never yield.
    let opened = Arc::new(AtomicU32::new(0));
    let handler = conversing!(
        [gate, opened] | _peer | {
            if opened.fetch_add(1, SeqCst) == 0 {
                gate.pass().await;
            }
            Ok(())
        }
    );
    let (server, _peer) = flooded(handler).await;
    until(|| server.handle.stats().received == 10_000).await;
    let handle = server.handle.clone();
    let other = tokio::spawn(async move {
        let (mut longest, mut before) = (0, 0);
        while before < 10_000 {
            next_in_line().await;
            let now = handle.stats().conversations;
            longest = longest.max(now - before);
            before = now;
        }
        longest
    });

    gate.open();
    let longest = within_deadline(other).await.unwrap();

    assert!((1..=AT_A_TIME).contains(&longest), "{longest} conversations at a time");
    server.stop().await;
}

// G-11
#[tokio::test(start_paused = true)]
async fn other_tasks_run_while_each_datagram_causes_the_next() {
    let network = Network::new(1, Conditions::default());
    let feeder = Arc::new(OnceLock::<Client<Raw>>::new());
    let fed = Arc::new(AtomicU32::new(0));
    let handler = conversing!(
        [feeder, fed] | peer | {
            peer.recv().await?;
            if fed.fetch_add(1, SeqCst) < ENOUGH {
                // This never yields, no matter how much was sent before.
                coop::unconstrained(feeder.get().unwrap().send(&"next".into())).await?;
            }
            Ok(())
        }
    );
    let server = Server::builder(Text, handler);
    let server = server.bind_now(network.bind("10.0.0.1:9000").unwrap()).unwrap();
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = feeder.get_or_init(|| client_on(socket, Raw).unwrap());
    client.send(&"first".into()).await.unwrap();

    let server = Running::start(server).await;
    let longest = longest_turn(&server, 50).await;

    assert!((1..=AT_A_TIME).contains(&longest), "{longest} datagrams at a time");
    server.stop().await;
}

// G-11
#[tokio::test]
async fn other_tasks_run_and_serving_can_end_while_the_kernel_always_has_another_datagram() {
    let sender = Arc::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let fed = Arc::new(AtomicU32::new(0));
    let handler = conversing!(
        [sender, fed] | peer | {
            peer.recv().await?;
            if fed.fetch_add(1, SeqCst) < ENOUGH {
                // Sends to this server: the datagram arrives before the server receives again.
                sender.send(b"next")?;
            }
            Ok(())
        }
    );
    let server = Server::builder(Text, handler).bind("127.0.0.1:0").await.unwrap();
    sender.connect(server.handle().local_addrs()[0].socket_addr().unwrap()).unwrap();
    sender.send(b"first").unwrap();

    let server = Running::start(server).await;
    let longest = longest_turn(&server, 50).await;

    assert!((1..=AT_A_TIME).contains(&longest), "{longest} datagrams at a time");
    server.stop().await;
}

// G-11
#[tokio::test]
async fn other_tasks_run_while_a_flood_comes_through_the_kernel() {
    let server = Server::builder(Text, async |text: String| text);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.connect(server.handle().local_addrs()[0].socket_addr().unwrap()).await.unwrap();
    for _ in 0..1_000 {
        sender.send(b"flood").await.unwrap();
    }

    let server = Running::start(server).await;
    let longest = longest_turn(&server, 10).await;

    assert!(longest <= AT_A_TIME, "{longest} datagrams at a time");
    server.stop().await;
}

// G-2, D-7
#[tokio::test(start_paused = true)]
async fn datagrams_that_arrive_together_do_not_overflow_the_queue_of_a_quick_handler() {
    let net = Net::memory();
    let limits = Limits::default().max_queue_len(40);
    let server = net
        .serve_text_within(
            limits,
            conversing!(|peer| {
                loop {
                    let text = peer.recv().await?;
                    peer.send(&text).await?;
                }
            }),
        )
        .await;
    let peer = net.peer_of(&server.handle).await;

    for n in 0..64 {
        peer.send(n.to_string()).await;
    }

    for n in 0..64 {
        assert_eq!(peer.recv_text().await, n.to_string());
    }
    assert_eq!(server.handle.stats().dropped(DropReason::QueueFull), 0);
    server.stop().await;
}
