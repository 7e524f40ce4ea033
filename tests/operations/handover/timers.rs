//! What conversations of the old process wait for besides datagrams.

use std::sync::{Arc, Mutex, mpsc};

use datagrammar::{DropReason, RecvError};
use tokio::sync::Notify;

use super::*;

/// Waits a moment for a second packet, once it may, and says that none came.
struct Impatient(Arc<Notify>);

impl Handler<String, String> for Impatient {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        peer.recv().await?;
        self.0.notified().await;
        let result = peer.recv_timeout(Duration::from_millis(1)).await;
        assert!(matches!(result, Err(RecvError::TimedOut)), "{result:?}");
        peer.send("nothing came".to_owned()).await?;
        Ok(())
    }
}

// O-31, R-3
#[tokio::test]
async fn a_timeout_elapses_in_the_old_process() {
    let (path, begins) = (temporary_path(), Arc::new(Notify::new()));
    let transport = TakeOver::from(&path).or("127.0.0.1:0");
    let old = Server::bind(transport, Text, Impatient(Arc::clone(&begins))).await.unwrap();
    let old = Running::start(old, &path, LONG).await;
    let client = Asking::of(&old.addr()).await;
    client.send("a").await;
    until(|| old.handle.stats().active_conversations == 1).await;
    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;
    until(|| !old.handle.is_serving()).await;

    begins.notify_one();

    assert_eq!(client.hear().await, "nothing came");
    let (aborted, _) = old.end().await;
    assert_eq!(aborted, 0);
    assert_eq!(client.ask("b").await, "new 1 b");
    new.shut_down().await;
}

// O-32, O-35: the new process is told to end when datagrams have just come back
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_has_come_back_is_served_by_a_process_that_ends() {
    /// Receives one packet, once it may.
    struct One(Arc<Notify>);

    impl Handler<String, String> for One {
        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            self.0.notified().await;
            let packet = peer.recv().await?;
            peer.send(format!("old {packet}")).await?;
            Ok(())
        }
    }

    let (path, begins) = (temporary_path(), Arc::new(Notify::new()));
    let transport = TakeOver::from(&path).or("127.0.0.1:0");
    let old = Server::bind(transport, Text, One(Arc::clone(&begins))).await.unwrap();
    let old = Running::start(old, &path, LONG).await;
    let (client, stays) = (Asking::of(&old.addr()).await, Asking::of(&old.addr()).await);
    for (n, client) in [&client, &stays].into_iter().enumerate() {
        client.send("a").await;
        until(|| old.handle.stats().active_conversations == n + 1).await;
    }
    // Its worker stands still while it looks at a certain source.
    let other = Asking::of(&old.addr()).await;
    let (blocked, (release, gate)) = (other.0.local_addr(), mpsc::channel::<()>());
    let gate = Mutex::new(gate);
    let new = Server::builder(Text, async |text: String| format!("new {text}"))
        .source_filter(move |source| {
            if *source == blocked {
                let _ = gate.lock().unwrap().recv();
            }
            true
        })
        .bind(TakeOver::from(&path).or("127.0.0.1:0"));
    let new = Running::start(within_deadline(new).await.unwrap(), &path, LONG).await;
    until(|| !old.handle.is_serving()).await;
    for packet in ["b", "c"] {
        client.send(packet).await;
    }
    until(|| old.handle.stats().received == 4).await;

    other.send("blocks").await;
    begins.notify_one();
    assert_eq!(client.hear().await, "old a");
    until(|| old.handle.stats().dropped(DropReason::HandedOver) == 2).await;
    let (ends, ending) = (new.handle.clone(), new.handle.clone());
    let ends = tokio::spawn(async move { ends.graceful_shutdown(LONG).await });
    until(|| !ending.is_serving()).await;
    drop(release);

    assert_eq!(within_deadline(ends).await.unwrap(), 0);
    assert_eq!(balanced(&new.handle).total_dropped(), 0);
    // What the old process had not sent yet is for a third one.
    let third =
        Server::bind(TakeOver::from(&path), Text, async |text: String| format!("new {text}"));
    let third = Running::start(within_deadline(third).await.unwrap(), &path, LONG).await;
    let mut replies = [client.hear().await, client.hear().await];
    replies.sort();
    assert_eq!(replies, ["new b", "new c"]);
    begins.notify_one();
    assert_eq!(stays.hear().await, "old a");
    old.end().await;
    third.shut_down().await;
}

// O-31: the old process is told to end while the new one is still starting
#[tokio::test]
async fn a_process_that_starts_waits_for_the_end_of_one_that_drains() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let client = Asking::of(&old.addr()).await;
    assert_eq!(client.ask("a").await, "old 1 a");
    let new = bind("new", &path, "127.0.0.1:0").await;
    let draining = old.handle.clone();
    let draining = tokio::spawn(async move { draining.drain(LONG).await });
    until(|| !old.handle.is_serving()).await;

    let handle = new.handle();
    let serving = new.spawn();
    assert!(within_deadline(handle.ready()).await);
    // If the new process read too, it would answer some of them.
    for number in 2..50 {
        assert_eq!(client.ask("a").await, format!("old {number} a"));
    }
    assert_eq!(client.ask("bye").await, "old 50 bye");

    assert_eq!(within_deadline(draining).await.unwrap(), 0);
    within_deadline(old.serving).await.unwrap().unwrap();
    assert_eq!(within_deadline(old.handing_over).await.unwrap().unwrap(), 0);
    assert_eq!(client.ask("a").await, "new 1 a");
    within_deadline(handle.shutdown()).await;
    serving.await.unwrap().unwrap();
}
