//! What a store that takes its time, or always knows the request, does to a conversation and to others.

use datagrammar::{Begun, BoxError, Limits, RecvError, ReplyStore, StoredRequest};

use super::*;

// Q-18, D-3: what is dropped before it opens a conversation leaves its place to the next datagram
#[tokio::test(start_paused = true)]
async fn a_handler_is_called_once_for_a_datagram_behind_a_duplicate() {
    let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
    let gate = Gate::closed();
    let slow = conversing!(
        [gate] | peer | {
            let text = peer.recv().await?;
            gate.pass().await;
            Ok(peer.send(text).await?)
        }
    );
    let ignores = conversing!(
        [calls] | _peer | {
            calls.count();
            Ok(())
        }
    );
    let (first, second) =
        (net.serve(replica(&store, slow)).await, net.serve(replica(&store, ignores)).await);
    let source = Source::on(&net).await;
    source.send(&first, "1 gate").await;
    store.made("begin 1 gate", 1).await;
    store.set("begin", Mood::Waits);

    // Another server has begun the first one. The second one waits behind it.
    source.send(&second, "1 gate").await;
    store.made("begin 1 gate", 2).await;
    source.send(&second, "2 b").await;
    until(|| second.handle.stats().received == 2).await;
    store.open_gate();
    until(|| second.handle.stats().conversations > 0).await;
    until(|| second.handle.stats().active_conversations == 0).await;

    assert_eq!((calls.get(), second.handle.stats().conversations), (1, 1));
    assert_eq!(dropped(&second.handle, DropReason::Unread), 1);
    gate.open();
    assert_eq!(source.hear().await, "1 gate");
    source.stop().await;
    end(first, 0).await;
    end(second, 0).await;
}

// a peer that repeats without end cannot make a limit endless
#[tokio::test(start_paused = true)]
async fn a_limit_ends_although_the_store_always_knows_the_next_datagram() {
    let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
    let handler = conversing!(
        [calls] | peer | {
            let text = peer.recv().await?;
            let ended = peer.recv_timeout(Duration::from_secs(1)).await;
            assert!(matches!(ended, Err(RecvError::TimedOut)), "{ended:?}");
            calls.count();
            Ok(peer.send(text).await?)
        }
    );
    let limits = Limits::default().max_queue_len(4);
    let server = net.serve(replica(&store, handler).limits(limits)).await;
    let source = Source::on(&net).await;
    source.send(&server, "1 a").await;
    store.made("begin 1 a", 1).await;
    // The store is down: each call takes its whole second, and then its request is dropped.
    store.set("begin", Mood::Hangs);

    for n in 0.. {
        if calls.get() > 0 {
            break;
        }
        assert!(n < 200, "the limit does not end");
        source.send(&server, &format!("2 {n}")).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }

    assert_eq!(source.hear().await, "1 a");
    source.stop().await;
    server.stop().await;
}

/// A store with one connection, which its calls use one after another.
#[derive(Clone, Debug, Default)]
struct OneConnection(Arc<tokio::sync::Mutex<()>>);

impl ReplyStore for OneConnection {
    type Key = ();

    fn key(&self, _: &StoredRequest<'_>) {}

    async fn begin(&self, (): &(), _: Duration) -> Result<Begun, BoxError> {
        let _connection = self.0.lock().await;
        Ok(Begun::New)
    }

    async fn complete(&self, (): &(), _: &[u8], _: Duration) -> Result<(), BoxError> {
        Ok(())
    }

    async fn forget(&self, (): &()) -> Result<(), BoxError> {
        Ok(())
    }
}

// a call goes on while its handler does something else
#[tokio::test(start_paused = true)]
async fn a_recv_that_is_dropped_holds_no_connection_of_the_store() {
    let (net, store) = (Net::memory(), OneConnection::default());
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        if text.starts_with('1') {
            // The store is asked about the next packet, and the handler does something else.
            assert!(matches!(peer.recv_timeout(Duration::ZERO).await, Err(RecvError::TimedOut)));
            peer.send(text).await?;
            let next = peer.recv();
            drop(tokio::time::timeout(Duration::from_millis(500), next).await);
            tokio::time::sleep(Duration::from_secs(10)).await;
            return Ok(());
        }
        Ok(peer.send(text).await?)
    });
    let server = Server::builder(Numbered, handler).reply_store(store.clone());
    let server = net.serve(server).await;
    let (one, other) = (Source::on(&net).await, Source::on(&net).await);
    assert_eq!(one.ask(&server, "1 a").await, "1 a");
    let connection = store.0.lock().await;
    one.send(&server, "2 b").await;
    tokio::time::sleep(Duration::from_millis(600)).await;

    drop(connection);

    assert_eq!(other.ask(&server, "3 c").await, "3 c");
    assert_eq!(server.handle.stats().store_timeouts, 0);
    one.stop().await;
    other.stop().await;
    server.stop().await;
}
