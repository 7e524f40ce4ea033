//! How many calls and round trips a request costs.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use datagrammar::{DropReason, ReplyCache};
use datagrammar_stores::{Created, Entry, MemoryStore, Revision, Store, StoreError};

use crate::replies::{Asker, Replica, Shared, eventually};

/// A store that counts its calls.
#[derive(Clone, Default)]
struct Counting {
    store: MemoryStore,
    calls: Arc<AtomicU32>,
}

impl Counting {
    fn count(&self) -> &MemoryStore {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.store
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Store for Counting {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.count().get(key).await
    }

    async fn create(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Created, StoreError> {
        self.count().create(key, value, ttl).await
    }

    async fn replace(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Revision>, StoreError> {
        self.count().replace(key, revision, value, ttl).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Revision, StoreError> {
        self.count().put(key, value, ttl).await
    }

    async fn delete(&self, key: &str, revision: Revision) -> Result<bool, StoreError> {
        self.count().delete(key, revision).await
    }

    async fn delete_if_starts_with(&self, key: &str, start: &[u8]) -> Result<bool, StoreError> {
        self.count().delete_if_starts_with(key, start).await
    }
}

// O-51
#[tokio::test]
async fn a_request_costs_two_calls_and_a_repetition_that_is_known_none() {
    let (store, shared) = (Counting::default(), Shared::new(100));
    let one = Replica::serve(store.clone(), &shared, ReplyCache::default()).await;
    let other = Replica::serve(store.clone(), &shared, ReplyCache::default()).await;
    let asker = Asker::new().await;

    for id in 0..10 {
        asker.send(id, &one).await;
        asker.reply(id).await.unwrap();
    }
    eventually("the replies are written", async || store.calls() == 20).await;
    for id in 0..10 {
        asker.send(id, &one).await;
        asker.reply(id).await.unwrap();
    }
    assert_eq!(one.handle.stats().dropped(DropReason::Duplicate), 10);
    assert_eq!(store.calls(), 20);

    // What another replica has served costs one, and is known then.
    for _ in 0..2 {
        asker.send(0, &other).await;
        asker.reply(0).await.unwrap();
    }
    assert_eq!(store.calls(), 21);
    one.handle.shutdown().await;
    other.handle.shutdown().await;
    assert_eq!(store.calls(), 21);
}

/// Serves 100 requests and returns after the shutdown, which waits for all calls.
#[cfg(any(feature = "redis", feature = "nats"))]
async fn served(store: impl Store) {
    let shared = Shared::new(100);
    let replica = Replica::serve(store, &shared, ReplyCache::default()).await;
    let asker = Asker::new().await;
    for id in 0..100 {
        asker.send(id, &replica).await;
        asker.reply(id).await.unwrap();
    }
    replica.handle.shutdown().await;
}

// O-51: as Redis counts
#[cfg(feature = "redis")]
#[tokio::test]
async fn each_call_is_one_command_of_redis() {
    use crate::engines::{Engine, Program, redis_store};
    let Some(engine) = Engine::start(Program::Redis).await else { return };
    let store = redis_store(&engine.url());
    assert_eq!(store.get("a").await.unwrap(), None); // connects

    served(store.clone()).await;
    let revision = store.put("a", b"1", Duration::from_secs(9)).await.unwrap();
    store.replace("a", revision, b"2", Duration::from_secs(9)).await.unwrap().unwrap();
    assert!(!store.delete("a", revision).await.unwrap());

    let client = redis::Client::open(engine.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
    let calls = |command: &str| {
        let line =
            stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse::<u32>().unwrap())
    };
    // Two for each request, and two that are not in a script: the `put`, and that of `replace` in its script.
    assert_eq!((calls("set"), calls("eval"), calls("evalsha")), (200 + 1 + 1, 2, 0), "{stats}");
    assert_eq!(calls("get"), 1 + 2, "{stats}");
}

// O-51: as the client of NATS counts
#[cfg(feature = "nats")]
#[tokio::test]
async fn each_call_is_one_message_to_nats() {
    use crate::engines::{Engine, Program};
    use datagrammar_stores::{NatsBucket, NatsStore};
    let Some(engine) = Engine::start(Program::Nats).await else { return };
    let client = async_nats::connect(engine.url()).await.unwrap();
    let bucket = NatsBucket::new("test", Duration::from_secs(3600)).max_bytes(16 << 20);
    let store = NatsStore::with_context(async_nats::jetstream::new(client.clone()), bucket);
    assert_eq!(store.get("a").await.unwrap(), None); // opens the bucket
    let sent = || client.statistics().out_messages.load(Ordering::Relaxed);

    let before = sent();
    served(store.clone()).await;
    assert_eq!(sent() - before, 200);

    let before = sent();
    let revision = store.put("a", b"1", Duration::from_secs(9)).await.unwrap();
    let revision =
        store.replace("a", revision, b"2", Duration::from_secs(9)).await.unwrap().unwrap();
    assert!(store.get("a").await.unwrap().is_some());
    assert!(store.delete("a", revision).await.unwrap());
    assert_eq!(sent() - before, 4);
}
