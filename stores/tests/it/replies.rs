//! Servers that share a reply store.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use datagrammar::{
    BoxError, DropReason, ReplyCache, Server, ServerHandle, TaggedServer, Text, tagged,
};
use datagrammar_stores::{Replies, Store};
use tokio::{net::UdpSocket, sync::Semaphore, time::timeout};

use crate::engines::{DEADLINE, for_each_store};

for_each_store! {
    a_repetition_gets_the_same_reply_from_each_replica
    a_request_that_one_replica_serves_is_dropped_by_another_one
}

/// A replica whose handler counts, and waits for its turn.
pub(crate) struct Replica {
    pub(crate) handle: ServerHandle,
    pub(crate) addr: std::net::SocketAddr,
}

/// What the handlers of all replicas share.
pub(crate) struct Shared {
    pub(crate) calls: AtomicU32,
    pub(crate) turns: Semaphore,
}

impl Shared {
    pub(crate) fn new(turns: usize) -> Arc<Self> {
        Arc::new(Self { calls: AtomicU32::new(0), turns: Semaphore::new(turns) })
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Replica {
    pub(crate) async fn serve<S: Store>(store: S, shared: &Arc<Shared>, cache: ReplyCache) -> Self {
        let shared = Arc::clone(shared);
        let answer = move |request: String| {
            let shared = Arc::clone(&shared);
            async move {
                let call = shared.calls.fetch_add(1, Ordering::Relaxed) + 1;
                shared.turns.acquire().await.unwrap().forget();
                format!("{request}, call {call}")
            }
        };
        let server = Server::builder(TaggedServer::new(Text), tagged(answer))
            .reply_cache(cache)
            .reply_store(Replies::new(store))
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let (handle, addr) = (server.handle(), server.local_addr().socket_addr().unwrap());
        server.spawn();
        Self { handle, addr }
    }
}

/// A client that repeats requests by hand, from one port.
pub(crate) struct Asker(UdpSocket);

impl Asker {
    pub(crate) async fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) async fn send(&self, id: u32, replica: &Replica) {
        let request = [&[0][..], &id.to_be_bytes(), b"pay"].concat();
        self.0.send_to(&request, replica.addr).await.unwrap();
    }

    /// Receives the reply to a request.
    pub(crate) async fn reply(&self, id: u32) -> Result<String, BoxError> {
        let mut bytes = [0; 64];
        let (len, _) = timeout(DEADLINE, self.0.recv_from(&mut bytes)).await??;
        let reply = bytes[..len].strip_prefix(&[&[1][..], &id.to_be_bytes()].concat()[..]);
        Ok(String::from_utf8(reply.ok_or("another reply")?.to_vec())?)
    }
}

/// Waits until something holds, which nothing reports.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

// O-50
async fn a_repetition_gets_the_same_reply_from_each_replica<S: Store>(
    connect: impl AsyncFn() -> S,
) {
    let shared = Shared::new(100);
    let one = Replica::serve(connect().await, &shared, ReplyCache::default()).await;
    let other = Replica::serve(connect().await, &shared, ReplyCache::default()).await;
    let (asker, stranger) = (Asker::new().await, Asker::new().await);

    asker.send(7, &one).await;
    assert_eq!(asker.reply(7).await.unwrap(), "pay, call 1");
    one.handle.shutdown().await; // it writes the reply before it ends
    for _ in 0..2 {
        asker.send(7, &other).await;
        assert_eq!(asker.reply(7).await.unwrap(), "pay, call 1");
    }
    let stats = other.handle.stats();
    assert_eq!((stats.dropped(DropReason::Duplicate), stats.replayed), (2, 2));

    // The same bytes of another peer are another request.
    stranger.send(7, &other).await;
    assert_eq!(stranger.reply(7).await.unwrap(), "pay, call 2");
    asker.send(8, &other).await;
    assert_eq!(asker.reply(8).await.unwrap(), "pay, call 3");
}

// O-50
async fn a_request_that_one_replica_serves_is_dropped_by_another_one<S: Store>(
    connect: impl AsyncFn() -> S,
) {
    let shared = Shared::new(0);
    let one = Replica::serve(connect().await, &shared, ReplyCache::default()).await;
    let other = Replica::serve(connect().await, &shared, ReplyCache::default()).await;
    let asker = Asker::new().await;

    asker.send(7, &one).await;
    eventually("the handler runs", async || shared.calls() == 1).await;
    asker.send(7, &other).await;
    eventually("the repetition is dropped", async || {
        other.handle.stats().dropped(DropReason::Duplicate) == 1
    })
    .await;
    shared.turns.add_permits(1);
    assert_eq!(asker.reply(7).await.unwrap(), "pay, call 1");
    one.handle.shutdown().await;
    asker.send(7, &other).await;
    // The cache of the other replica knows the request, but not its reply.
    assert_eq!(asker.reply(7).await.unwrap(), "pay, call 1");
    assert_eq!(shared.calls(), 1);
}
