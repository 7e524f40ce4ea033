//! An engine that is down: the policies, the counters, and that serving goes on.

#![cfg(any(feature = "redis", feature = "nats"))]

use std::time::{Duration, Instant};

use datagrammar::{DropReason, Json, ReplyCache, StoreFailure};
use datagrammar_stores::{SessionError, Sessions, Store};

use crate::{
    engines::{DEADLINE, Engine},
    replies::{Asker, Replica, Shared, eventually},
};

macro_rules! for_each_engine {
    ($($test:ident)*) => {
        #[cfg(feature = "redis")]
        mod redis {
            $(#[tokio::test]
            async fn $test() {
                use crate::engines::{Engine, Program, redis_store};
                let Some(mut engine) = Engine::start(Program::Redis).await else { return };
                super::$test(async |url| redis_store(&url), &mut engine).await;
            })*
        }

        #[cfg(feature = "nats")]
        mod nats {
            $(#[tokio::test]
            async fn $test() {
                use crate::engines::{Engine, Program, nats_store};
                let Some(mut engine) = Engine::start(Program::Nats).await else { return };
                super::$test(async |url| nats_store(&url).await, &mut engine).await;
            })*
        }
    };
}

for_each_engine! {
    while_the_store_is_down_requests_are_dropped_and_counted
    while_the_store_is_down_requests_are_served_if_the_server_is_told_so
    while_the_store_stands_still_calls_time_out_and_are_counted
    sessions_fail_in_time_and_count_it
    a_program_starts_while_the_store_is_down
}

/// A server that gives the store little time, and a client to which it has replied.
async fn serving(store: impl Store, failure: StoreFailure) -> (Replica, Asker) {
    opened(&store).await;
    let cache = ReplyCache::default().store_timeout(Duration::from_millis(200));
    let replica = Replica::serve(store, &Shared::new(100), cache.store_failure(failure)).await;
    let asker = Asker::new().await;
    asker.send(1, &replica).await;
    assert_eq!(asker.reply(1).await.unwrap(), "pay, call 1");
    (replica, asker)
}

/// The first call connects, and with NATS it makes a stream. That may take longer than later calls have.
async fn opened(store: &impl Store) {
    assert_eq!(store.get("a").await.unwrap(), None);
}

/// Asks until there is an answer, as a client does.
async fn asked_until_answered(asker: &Asker, id: u32, replica: &Replica) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        asker.send(id, replica).await;
        if let Ok(reply) = tokio::time::timeout(Duration::from_millis(200), asker.reply(id)).await {
            return reply.unwrap();
        }
        assert!(Instant::now() < deadline, "no answer");
    }
}

// O-54, O-7
async fn while_the_store_is_down_requests_are_dropped_and_counted<S: Store>(
    connect: impl AsyncFn(String) -> S,
    engine: &mut Engine,
) {
    let (replica, asker) = serving(connect(engine.url()).await, StoreFailure::Drop).await;

    engine.kill();
    asker.send(2, &replica).await;
    eventually("it is dropped", async || {
        let stats = replica.handle.stats();
        stats.dropped(DropReason::StoreFailed) == 1 && stats.store_errors + stats.store_timeouts > 0
    })
    .await;
    // What the server knows itself it still answers.
    asker.send(1, &replica).await;
    assert_eq!(asker.reply(1).await.unwrap(), "pay, call 1");

    assert!(engine.run().await);
    // What was answered before the engine came back was not served, so this is the second call.
    assert_eq!(asked_until_answered(&asker, 3, &replica).await, "pay, call 2");
}

// O-54, O-7
async fn while_the_store_is_down_requests_are_served_if_the_server_is_told_so<S: Store>(
    connect: impl AsyncFn(String) -> S,
    engine: &mut Engine,
) {
    let (replica, asker) = serving(connect(engine.url()).await, StoreFailure::Serve).await;

    engine.kill();
    asker.send(2, &replica).await;
    assert_eq!(asker.reply(2).await.unwrap(), "pay, call 2");
    let stats = replica.handle.stats();
    assert!(stats.store_errors + stats.store_timeouts > 0);
    assert_eq!(stats.dropped(DropReason::StoreFailed), 0);
    asker.send(2, &replica).await;
    assert_eq!(asker.reply(2).await.unwrap(), "pay, call 2");
}

// O-54, O-7
async fn while_the_store_stands_still_calls_time_out_and_are_counted<S: Store>(
    connect: impl AsyncFn(String) -> S,
    engine: &mut Engine,
) {
    let (replica, asker) = serving(connect(engine.url()).await, StoreFailure::Drop).await;

    engine.signal("STOP");
    asker.send(2, &replica).await;
    eventually("it is dropped", async || {
        let stats = replica.handle.stats();
        (stats.dropped(DropReason::StoreFailed), stats.store_errors) == (1, 0)
            && stats.store_timeouts > 0
    })
    .await;
    engine.signal("CONT");
    assert_eq!(asked_until_answered(&asker, 3, &replica).await, "pay, call 2");
}

// O-54
async fn sessions_fail_in_time_and_count_it<S: Store>(
    connect: impl AsyncFn(String) -> S,
    engine: &mut Engine,
) {
    let store = connect(engine.url()).await;
    opened(&store).await;
    let sessions = Sessions::new(store, Json::<u32>::new()).timeout(Duration::from_millis(200));
    sessions.create("a", &1).await.unwrap();

    engine.signal("STOP");
    let error = sessions.load("a").await.unwrap_err();
    assert!(matches!(error, SessionError::TimedOut(_)) && error.is_unavailable(), "{error}");
    engine.signal("CONT");
    eventually("it answers again", async || sessions.load("a").await.is_ok()).await;
    let stats = sessions.stats();
    assert!(stats.timeouts > 0 && stats.errors == 0, "{stats:?}");

    engine.kill();
    let error = sessions.load("a").await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(engine.run().await);
    eventually("it answers again", async || sessions.load("b").await.is_ok()).await;
}

// O-54
async fn a_program_starts_while_the_store_is_down<S: Store>(
    connect: impl AsyncFn(String) -> S,
    engine: &mut Engine,
) {
    engine.kill();
    let store = connect(engine.url()).await;
    let early = tokio::time::timeout(Duration::from_millis(200), store.get("a")).await;
    assert!(!matches!(early, Ok(Ok(_))));

    assert!(engine.run().await);
    eventually("it works", async || {
        matches!(tokio::time::timeout(Duration::from_secs(1), store.get("a")).await, Ok(Ok(None)))
    })
    .await;
}

// O-54
#[cfg(feature = "nats")]
#[tokio::test]
async fn a_bucket_that_nats_has_lost_is_made_again() {
    use crate::engines::{Program, nats_store};
    let Some(engine) = Engine::start(Program::Nats).await else { return };
    let store = nats_store(&engine.url()).await;
    store.put("a", b"1", Duration::from_secs(9)).await.unwrap();

    let context = async_nats::jetstream::new(async_nats::connect(engine.url()).await.unwrap());
    context.delete_stream("KV_test").await.unwrap();
    store.get("a").await.unwrap_err();
    assert_eq!(store.get("a").await.unwrap(), None);
    store.put("a", b"2", Duration::from_secs(9)).await.unwrap();
    context.delete_stream("KV_test").await.unwrap();
    store.put("a", b"3", Duration::from_secs(9)).await.unwrap_err();
    store.put("a", b"4", Duration::from_secs(9)).await.unwrap();
}

// O-55
#[cfg(feature = "nats")]
#[tokio::test]
async fn an_entry_cannot_live_longer_than_its_bucket_allows() {
    use crate::engines::{Program, nats_store};
    let Some(engine) = Engine::start(Program::Nats).await else { return };
    let store = nats_store(&engine.url()).await;

    let error = store.put("a", b"1", Duration::from_secs(3601)).await.unwrap_err();
    assert_eq!(error.to_string(), "time to live is 3601s, limit is 3600s");
}
