//! limits and guards that change while the server serves.

use std::time::Duration;

use datagrammar::{
    Chunked, DropReason, Guard, LimitError, Limits, Server, TaggedServer, Text, tagged,
};

use super::{lengths, peer_at};
use crate::support::{Gate, Net, Running, conversing, until};

//
#[tokio::test(start_paused = true)]
async fn limits_apply_at_once_and_end_no_conversation() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let gate = Gate::closed();
    let handler = conversing!(
        [gate] | peer | {
            let mut count = 0;
            loop {
                let text = peer.recv().await?;
                count += 1;
                peer.send(format!("{text} {count}")).await?;
                if text == "wait" {
                    gate.pass().await;
                }
            }
        }
    );
    let server = net.serve_text(handler).await;
    let handle = &server.handle;
    let peer = |n: usize| peer_at(network, &format!("10.0.0.{n}:5000"), handle);
    let first: Vec<_> = (1..=5).map(peer).collect();
    for peer in &first {
        assert_eq!(peer.ask("hello").await, "hello 1");
    }

    handle.set_limits(handle.limits().max_conversations(3)).unwrap();
    peer(6).send("hello").await;
    until(|| handle.stats().dropped(DropReason::ConversationLimit) == 1).await;
    for peer in &first {
        assert_eq!(peer.ask("hello").await, "hello 2");
    }
    handle.set_limits(handle.limits().max_conversations(6)).unwrap();
    assert_eq!(peer(7).ask("hello").await, "hello 1");

    // What waits stays, and nothing is added.
    assert_eq!(first[0].ask("wait").await, "wait 3");
    first[0].send_all((0..5).map(|n| n.to_string())).await;
    until(|| handle.stats().queued_bytes > 4 * 160).await;
    handle.set_limits(handle.limits().max_queue_len(3)).unwrap();
    first[0].send("more").await;
    until(|| handle.stats().dropped(DropReason::QueueFull) == 1).await;
    gate.open();
    for n in 0..5 {
        assert_eq!(first[0].recv_text().await, format!("{n} {}", n + 4));
    }

    // The next `recv` has the new timeout.
    handle.set_limits(handle.limits().idle_timeout(Duration::from_secs(2))).unwrap();
    assert_eq!(first[1].ask("hello").await, "hello 3");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(handle.stats().idle_timeouts, 1);
    assert_eq!(first[2].ask("hello").await, "hello 3");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn what_cannot_be_set_is_named_and_changes_nothing() {
    let net = Net::memory();
    let echo = tagged(async |text: String| text);
    let server = Server::builder(TaggedServer::new(Text), echo).chunked(Chunked::with_limit(5_000));
    let server: Running = net.serve(server).await;
    let handle = &server.handle;

    for (limits, error) in [
        (
            Limits::default().max_conversations(0),
            "the limit `max_conversations` is 0, it must be larger",
        ),
        (
            Limits::default().max_queue_bytes(5_000),
            "the limit `Limits::max_queue_bytes` is 5000, and packets in chunks need 5001",
        ),
        (
            Limits::default().max_datagram_size(9_000),
            "the limit `max_datagram_size` is 65535, and cannot change once the server is bound",
        ),
    ] {
        assert_eq!(handle.set_limits(limits.max_tasks(1)).unwrap_err().to_string(), error);
    }
    let error = handle.set_guard(Guard::internet().reply_factor(0)).unwrap_err();

    assert_eq!(error, LimitError::Zero("Guard::reply_factor"));
    assert_eq!(handle.limits(), Limits::default());
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_guard_comes_and_goes_and_running_conversations_keep_theirs() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let handler = conversing!(|peer| {
        loop {
            let text = peer.recv().await?;
            let _ = peer.send("x".repeat(super::wanted(&text))).await;
            if text.ends_with("once") {
                return Ok(());
            }
        }
    });
    let server = net.serve_text(handler).await;
    let handle = &server.handle;
    let (old, new) =
        (peer_at(network, "10.0.0.1:5000", handle), peer_at(network, "10.0.0.2:5000", handle));
    assert_eq!(old.ask("500").await.len(), 500);

    handle.set_guard(Guard::internet()).unwrap();
    new.send("500 once").await;
    until(|| handle.stats().over_budget == 1).await;
    assert_eq!(old.ask("500").await.len(), 500);
    assert_eq!(new.ask("20 once").await.len(), 20);
    assert_eq!(new.ask("12 ......").await.len(), 12);

    handle.set_guard(None).unwrap();
    let newest = peer_at(network, "10.0.0.3:5000", handle);
    assert_eq!(newest.ask("500").await.len(), 500);
    // This one began with a guard.
    new.send("500").await;
    until(|| handle.stats().over_budget == 2).await;
    handle.set_guard(Guard::internet().refused_ports([5_000])).unwrap();
    old.send("500").await;
    until(|| handle.stats().dropped(DropReason::Refused) == 1).await;
    server.stop().await;
}

// also for functions, whose conversations use the same memory again
#[tokio::test(start_paused = true)]
async fn a_function_has_the_guard_that_is_set_when_its_request_arrives() {
    let net = Net::memory();
    let server = net.serve(lengths()).await;
    let peer = net.peer_of(&server.handle).await;

    for guard in [None, Some(Guard::internet()), None, Some(Guard::internet().reply_factor(200))] {
        server.handle.set_guard(guard.clone()).unwrap();
        let before = server.handle.stats();
        peer.send("500").await;
        until(|| server.handle.stats().conversations == before.conversations + 1).await;
        let refused = guard.is_some_and(|guard| guard.get_reply_factor() == Some(3));
        assert_eq!(server.handle.stats().over_budget - before.over_budget, u64::from(refused));
    }
    server.stop().await;
}
