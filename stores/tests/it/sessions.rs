//! Typed sessions in every store.

use std::{sync::Arc, time::Duration};

use datagrammar::Json;
use datagrammar_stores::{MemoryStore, SessionError, Sessions, Store};
use serde::{Deserialize, Serialize};

use crate::engines::for_each_store;

for_each_store! {
    a_state_is_saved_by_who_has_loaded_it_last
    concurrent_updates_lose_nothing
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Login {
    user: String,
    attempts: u32,
}

impl Login {
    fn new(attempts: u32) -> Self {
        Self { user: "Nemo".into(), attempts }
    }
}

// O-53
async fn a_state_is_saved_by_who_has_loaded_it_last<S: Store>(connect: impl AsyncFn() -> S) {
    let one = Sessions::new(connect().await, Json::<Login>::new());
    let other = Sessions::new(connect().await, Json::<Login>::new());
    assert_eq!(one.load("Nemo").await.unwrap(), None);

    let first = one.create("Nemo", &Login::new(1)).await.unwrap();
    let taken = other.create("Nemo", &Login::new(5)).await;
    assert!(matches!(taken, Err(SessionError::Conflict)), "{taken:?}");

    let loaded = other.load("Nemo").await.unwrap().unwrap();
    assert_eq!((loaded.state, loaded.revision), (Login::new(1), first));
    let second = other.save("Nemo", first, &Login::new(2)).await.unwrap();
    let late = one.save("Nemo", first, &Login::new(9)).await;
    assert!(matches!(late, Err(SessionError::Conflict)), "{late:?}");
    assert_eq!(one.load("Nemo").await.unwrap().unwrap().state, Login::new(2));

    assert!(matches!(one.remove("Nemo", first).await, Err(SessionError::Conflict)));
    one.remove("Nemo", second).await.unwrap();
    assert_eq!(other.load("Nemo").await.unwrap(), None);
    let stats = one.stats();
    assert_eq!((stats.calls, stats.errors, stats.timeouts, stats.conflicts), (6, 0, 0, 2));
}

// O-53
async fn concurrent_updates_lose_nothing<S: Store>(connect: impl AsyncFn() -> S) {
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let sessions =
            Sessions::new(connect().await, Json::<u32>::new()).timeout(Duration::from_secs(20));
        replicas.push(Arc::new(sessions));
    }
    let updates = replicas.iter().map(|sessions| {
        let sessions = Arc::clone(sessions);
        tokio::spawn(async move {
            for _ in 0..20 {
                sessions.update(b"counter", |count| count.unwrap_or(0) + 1).await.unwrap();
            }
        })
    });
    for update in updates.collect::<Vec<_>>() {
        update.await.unwrap();
    }

    assert_eq!(replicas[0].load(b"counter").await.unwrap().unwrap().state, 60);
}

// O-53
#[tokio::test]
async fn a_state_that_is_too_long_is_neither_stored_nor_decoded() {
    let store = MemoryStore::new();
    let wide = Sessions::new(store.clone(), datagrammar::Text).max_len(11);
    let narrow = Sessions::new(store, datagrammar::Text).max_len(10);

    narrow.create("a", &"0123456789".to_owned()).await.unwrap();
    let too_long = narrow.create("b", &"0123456789a".to_owned()).await.unwrap_err();
    assert_eq!(too_long.to_string(), "state of the session is 11 bytes, limit is 10");
    wide.create("b", &"0123456789a".to_owned()).await.unwrap();
    assert!(matches!(narrow.load("b").await, Err(SessionError::TooLong { len: 11, limit: 10 })));
}

// O-53
#[tokio::test]
async fn a_state_of_another_version_is_not_decoded() {
    let store = MemoryStore::new();
    let old = Sessions::new(store.clone(), datagrammar::Text).version(1);
    let new = Sessions::new(store.clone(), datagrammar::Text).version(2);
    old.create("a", &"state".to_owned()).await.unwrap();

    let error = new.load("a").await.unwrap_err();
    assert!(matches!(error, SessionError::Version { found: 1, version: 2 }), "{error}");
    assert!(!error.is_unavailable());
    let codec = Sessions::new(store, Json::<u32>::new()).version(1).load("a").await;
    assert!(matches!(codec, Err(SessionError::Decode(_))), "{codec:?}");
}

// O-53
#[tokio::test(start_paused = true)]
async fn a_state_ends_some_time_after_it_was_stored_last() {
    let sessions =
        Sessions::new(MemoryStore::new(), Json::<u32>::new()).ttl(Duration::from_secs(60));
    sessions.update("a", |_| 1).await.unwrap();

    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(59)).await;
        sessions.update("a", |count| count.unwrap() + 1).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(sessions.load("a").await.unwrap(), None);
}
