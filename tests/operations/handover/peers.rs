//! What peers notice of a hand-over.

use datagrammar::{DropReason, TakeOver, concurrent};
use tokio::sync::Semaphore;

use super::*;

// O-31
#[tokio::test]
async fn conversations_go_on_in_the_old_process_and_new_ones_open_in_the_new_one() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let addr = old.addr();
    let (stays, leaves) = (Asking::of(&addr).await, Asking::of(&addr).await);
    assert_eq!(stays.ask("a").await, "old 1 a");
    assert_eq!(leaves.ask("a").await, "old 1 a");

    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;
    assert_eq!(new.addr(), addr);
    until(|| !old.handle.is_serving()).await;

    let other = Asking::of(&addr).await;
    assert_eq!(other.ask("a").await, "new 1 a");
    assert_eq!(stays.ask("b").await, "old 2 b");
    assert_eq!(leaves.ask("bye").await, "old 2 bye");
    assert_eq!(leaves.ask("a").await, "new 1 a");
    assert_eq!(stays.ask("bye").await, "old 3 bye");
    let (aborted, stats) = old.end().await;
    assert_eq!((aborted, stats.received, stats.total_dropped()), (0, 5, 0));
    assert_eq!(stays.ask("c").await, "new 1 c");
    assert_eq!(leaves.ask("b").await, "new 2 b");
    assert_eq!(other.ask("b").await, "new 2 b");

    let stats = new.shut_down().await;
    assert_eq!((stats.received, stats.total_dropped()), (5, 0));
    assert!(!path.exists());
}

/// Receives one request, waits for a permit, and answers with the name of the server.
struct Gated(&'static str, &'static Semaphore);

impl Handler<String, String> for Gated {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        self.1.acquire().await?.forget();
        Ok(peer.send(format!("{} {request}", self.0)).await?)
    }
}

// O-31, O-32, D-8
#[tokio::test]
async fn what_a_conversation_has_not_received_comes_to_the_new_process_in_order() {
    static OLD: Semaphore = Semaphore::const_new(0);
    static NEW: Semaphore = Semaphore::const_new(Semaphore::MAX_PERMITS);

    let path = temporary_path();
    let old = Server::bind("127.0.0.1:0", Text, Gated("old", &OLD)).await.unwrap();
    let old = Running::start(old, &path, LONG).await;
    let client = Asking::of(&old.addr()).await;
    // Four wait in the old process, and then come some that the new one has to pass.
    for number in 0..5 {
        client.send(number).await;
    }
    until(|| old.handle.stats().received == 5).await;
    let new = Server::bind(TakeOver::from(&path), Text, Gated("new", &NEW)).await.unwrap();
    let new = Running::start(new, &path, LONG).await;
    until(|| !old.handle.is_serving()).await;
    for number in 5..50 {
        client.send(number).await;
    }
    until(|| old.handle.stats().received == 50).await;

    OLD.add_permits(1);

    assert_eq!(client.hear().await, "old 0");
    for number in 1..50 {
        assert_eq!(client.hear().await, format!("new {number}"));
    }
    let (_, stats) = old.end().await;
    assert_eq!(stats.dropped(DropReason::HandedOver), 49);
    assert_eq!((stats.delivered, stats.total_dropped()), (1, 49));
    let stats = new.shut_down().await;
    assert_eq!((stats.received, stats.delivered), (49, 49));
}

// O-31, O-32: with many peers that do not wait for their replies
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_send_without_a_pause_come_over_one_by_one_in_order() {
    const PEERS: usize = 20;
    const EACH: usize = 400;
    const AT_A_TIME: usize = 4;

    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let addr = old.addr();
    let clients = (0..PEERS).map(|_| {
        let addr = addr.clone();
        tokio::spawn(async move {
            let client = Asking::of(&addr).await;
            let mut servers = Vec::new();
            for round in 0..EACH / AT_A_TIME {
                for n in 0..AT_A_TIME {
                    // Conversations end between two requests that are on their way together.
                    let ends = round % 5 == 4 && n == 1;
                    client.send(if ends { "bye".to_owned() } else { format!("{round}.{n}") }).await;
                }
                for n in 0..AT_A_TIME {
                    let reply = client.hear().await;
                    let (server, rest) = reply.split_once(' ').unwrap();
                    let ends = round % 5 == 4 && n == 1;
                    let expected = if ends { "bye".to_owned() } else { format!("{round}.{n}") };
                    assert_eq!(rest.split_once(' ').unwrap().1, expected);
                    servers.push(server.to_owned());
                }
            }
            servers.dedup();
            servers
        })
    });
    let clients: Vec<_> = clients.collect();
    until(|| old.handle.stats().received > 500).await;
    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;

    let mut moved = 0;
    for client in clients {
        let servers = within_deadline(client).await.unwrap();
        // Each changes the server once at most, and never goes back.
        assert!(
            servers.len() <= 2
                && servers.first().is_none_or(|first| first == "old" || servers.len() == 1)
        );
        moved += servers.len() - 1;
    }
    assert!(moved > 0, "all peers stayed");
    // What has not said "bye" stays open in the old process until it ends.
    new.handle.shutdown().await;
    new.serving.await.unwrap().unwrap();
    old.handle.shutdown().await;
    let old = balanced(&old.handle);
    let new = balanced(&new.handle);
    let lost = |stats: &ServerStats| stats.total_dropped() - stats.dropped(DropReason::HandedOver);
    assert_eq!((lost(&old), lost(&new)), (0, 0), "{old} {new}");
    assert_eq!(old.delivered + new.delivered, (PEERS * EACH) as u64);
}

// O-31: a function needs no conversation, so the new process serves its peers at once
#[tokio::test]
async fn peers_of_a_function_are_not_in_conversation_and_those_of_a_concurrent_one_are() {
    let path = temporary_path();
    let echo = concurrent(4, async |text: String| text);
    let old = Server::bind("127.0.0.1:0", Text, echo).await.unwrap();
    let old = Running::start(old, &path, LONG).await;
    let client = Asking::of(&old.addr()).await;
    assert_eq!(client.ask("a").await, "a");

    let function = async |text: String| text.to_uppercase();
    let new = Server::bind(TakeOver::from(&path), Text, function).await.unwrap();
    let new = Running::start(new, &path, Duration::from_millis(1)).await;
    let (aborted, _) = old.end().await;

    assert_eq!(aborted, 0);
    assert_eq!(client.ask("a").await, "A");
    new.shut_down().await;
}
