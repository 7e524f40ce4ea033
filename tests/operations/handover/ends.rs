//! How a hand-over ends when a process ends early, or conversations do not.

use datagrammar::{DropReason, Limits, TakeOver};

use super::*;

// O-34
#[tokio::test]
async fn conversations_that_do_not_end_are_aborted_and_their_peers_come_over() {
    let path = temporary_path();
    let limits = Limits::default().shutdown_grace(Duration::from_millis(10));
    let old = Server::builder(Text, Counting("old")).limits(limits).bind("127.0.0.1:0");
    let within = Duration::from_millis(50);
    let old = Running::start(old.await.unwrap(), &path, within).await;
    let (waits, idle) = (Asking::of(&old.addr()).await, Asking::of(&old.addr()).await);
    waits.send("wait").await;
    assert_eq!(idle.ask("a").await, "old 1 a");
    until(|| old.handle.stats().received == 2).await;

    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;
    waits.send("b").await;
    let (aborted, stats) = old.end().await;

    // The idle one returned at `Closed`.
    assert_eq!((aborted, stats.dropped(DropReason::ShuttingDown)), (1, 0), "{stats}");
    assert_eq!(waits.hear().await, "new 1 b");
    assert_eq!(idle.ask("a").await, "new 1 a");
    new.shut_down().await;
}

// O-35
#[tokio::test]
async fn after_the_new_process_has_ended_a_third_one_takes_over() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let (stays, comes) = (Asking::of(&old.addr()).await, Asking::of(&old.addr()).await);
    assert_eq!(stays.ask("a").await, "old 1 a");
    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;
    assert_eq!(stays.ask("b").await, "old 2 b");
    assert_eq!(comes.ask("a").await, "new 1 a");

    // It ends as a process does that is killed.
    new.serving.abort();
    new.handing_over.abort();
    until(|| new.handing_over.is_finished() && new.serving.is_finished()).await;
    drop(new);
    stays.send("c").await;
    comes.send("b").await;

    let third = free(async || Server::bind(TakeOver::from(&path), Text, Counting("third")).await);
    let third = third.await;
    let third = Running::start(third, &path, LONG).await;
    assert_eq!(stays.hear().await, "old 3 c");
    assert_eq!(comes.hear().await, "third 1 b");
    assert_eq!(stays.ask("bye").await, "old 4 bye");
    let (aborted, _) = old.end().await;
    assert_eq!(aborted, 0);
    assert_eq!(stays.ask("d").await, "third 1 d");
    third.shut_down().await;
}

// O-35
#[tokio::test]
async fn when_the_old_process_ends_early_the_new_one_serves_all_peers() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let client = Asking::of(&old.addr()).await;
    assert_eq!(client.ask("a").await, "old 1 a");
    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;
    assert_eq!(client.ask("b").await, "old 2 b");

    old.serving.abort();
    until(|| old.serving.is_finished()).await;
    within_deadline(old.handle.stopped()).await;
    within_deadline(old.handing_over).await.unwrap().unwrap();

    // The new process has to notice it. Until then, what it passes is lost, as what the old one has read is.
    let reply = within_deadline(async {
        loop {
            client.send("c").await;
            if let Ok(reply) = client.0.recv_timeout(Duration::from_millis(50)).await {
                break reply;
            }
        }
    })
    .await;
    assert!(reply.starts_with("new "), "{reply}");
    new.shut_down().await;
}

// O-34: the old process is shut down in the middle
#[tokio::test]
async fn a_shutdown_of_the_old_process_hands_the_rest_over_at_once() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let clients = [Asking::of(&old.addr()).await, Asking::of(&old.addr()).await];
    for client in &clients {
        assert_eq!(client.ask("a").await, "old 1 a");
    }
    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;
    until(|| !old.handle.is_serving()).await;

    let handle = old.handle.clone();
    assert_eq!(within_deadline(handle.graceful_shutdown(LONG)).await, 0);

    old.end().await;
    for client in &clients {
        assert_eq!(client.ask("a").await, "new 1 a");
    }
    new.shut_down().await;
}
