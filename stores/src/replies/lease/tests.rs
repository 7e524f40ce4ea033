//! Leases over a store whose calls fail, hang or are executed without an answer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{Begun, ReplyStore};
use tokio::time::sleep;

use super::super::{Replies, request};
use crate::{Created, Entry, MemoryStore, Revision, Store, StoreError};

const TTL: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(6);
const SECOND: Duration = Duration::from_secs(1);

/// What becomes of a call of `replace`.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Fails,
    /// It is never executed, and there is no answer.
    Hangs,
    /// It is executed after this time, and there is no answer.
    Executed(Duration),
}

use Fault::{Executed, Fails, Hangs};

/// A store whose first calls of `replace` have these faults.
#[derive(Clone, Default)]
struct Faulty {
    store: MemoryStore,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl Store for Faulty {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn create(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Created, StoreError> {
        self.store.create(key, value, ttl).await
    }

    async fn replace(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Revision>, StoreError> {
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            None => return self.store.replace(key, revision, value, ttl).await,
            Some(Fails) => return Err(StoreError::engine("it is down")),
            Some(Hangs) => {}
            Some(Executed(after)) => {
                let (store, key, value) = (self.store.clone(), key.to_owned(), value.to_owned());
                tokio::spawn(async move {
                    sleep(after).await;
                    store.replace(&key, revision, &value, ttl).await.unwrap();
                });
            }
        }
        std::future::pending().await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Revision, StoreError> {
        self.store.put(key, value, ttl).await
    }

    async fn delete(&self, key: &str, revision: Revision) -> Result<bool, StoreError> {
        self.store.delete(key, revision).await
    }

    async fn delete_if_starts_with(&self, key: &str, start: &[u8]) -> Result<bool, StoreError> {
        self.store.delete_if_starts_with(key, start).await
    }
}

/// A replica whose renewals have these faults, and another one with the same store.
fn replicas(faults: &[Fault]) -> (Replies<Faulty>, Replies<MemoryStore>) {
    let store = MemoryStore::new();
    let faults = Arc::new(Mutex::new(faults.iter().copied().collect()));
    let faulty = Replies::new(Faulty { store: store.clone(), faults });
    (faulty.lease(LEASE), Replies::new(store).lease(LEASE))
}

fn answered(reply: &[u8]) -> Begun {
    Begun::Answered(reply.to_vec())
}

// O-52
#[tokio::test(start_paused = true)]
async fn renewals_that_fail_or_hang_for_half_a_lease_do_not_lose_it() {
    for faults in [
        &[Fails][..],
        &[Hangs],
        &[Hangs, Hangs],
        &[Fails, Hangs, Fails],
        &[Executed(Duration::ZERO)],
        &[Executed(Duration::ZERO), Fails, Fails],
        &[Hangs, Executed(Duration::ZERO)],
        &[Executed(Duration::from_millis(1_200))], // after its time limit, before the next attempt
        &[Executed(Duration::from_millis(1_700))], // after the next attempt
    ] {
        let (slow, other) = replicas(faults);
        let key = request();
        slow.begin(&key, TTL).await.unwrap();

        for second in 1..30 {
            sleep(SECOND).await;
            let begun = other.begin(&request(), TTL).await.unwrap();
            assert_eq!(begun, Begun::InProgress, "{faults:?}, after {second} s");
        }
        sleep(SECOND).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::New, "{faults:?}");
    }
}

// O-52
#[tokio::test(start_paused = true)]
async fn who_has_lost_its_lease_does_not_take_it_back() {
    for faults in [&[Hangs; 5][..], &[Fails; 9], &[Hangs, Hangs, Hangs, Executed(SECOND)]] {
        let (slow, other) = replicas(faults);
        let (lost, taken) = (request(), request());
        slow.begin(&lost, TTL).await.unwrap();
        sleep(LEASE).await;
        assert_eq!(other.begin(&taken, TTL).await.unwrap(), Begun::New, "{faults:?}");

        for _ in 0..20 {
            sleep(SECOND).await;
            let entry = slow.store.get(&lost.name()).await.unwrap().unwrap();
            assert_eq!(entry.value, taken.claim(), "{faults:?}");
        }
    }
}

// O-52
#[tokio::test(start_paused = true)]
async fn who_has_lost_its_lease_does_not_replace_what_the_new_owner_has() {
    // The renewal sees the loss after half a second.
    for late in [Duration::ZERO, SECOND] {
        let (slow, other) = replicas(&[Hangs; 3]);
        let (lost, taken) = (request(), request());
        slow.begin(&lost, TTL).await.unwrap();
        sleep(LEASE).await;
        other.begin(&taken, TTL).await.unwrap();
        sleep(late).await;

        slow.complete(&lost, b"late", TTL).await.unwrap();
        assert_eq!(slow.begin(&request(), TTL).await.unwrap(), Begun::InProgress, "{late:?}");
        other.complete(&taken, b"reply", TTL).await.unwrap();
        slow.complete(&lost, b"late", TTL).await.unwrap();
        assert_eq!(slow.begin(&request(), TTL).await.unwrap(), answered(b"reply"), "{late:?}");
    }
}

// O-50, O-52
#[tokio::test(start_paused = true)]
async fn who_has_lost_its_lease_to_nobody_writes_its_reply() {
    for late in [Duration::ZERO, SECOND] {
        let (slow, other) = replicas(&[Hangs; 3]);
        let lost = request();
        slow.begin(&lost, TTL).await.unwrap();
        sleep(LEASE + late).await;

        slow.complete(&lost, b"late", TTL).await.unwrap();
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), answered(b"late"), "{late:?}");
    }
}

// O-50, O-52
#[tokio::test(start_paused = true)]
async fn who_still_has_its_lease_by_a_call_without_an_answer_writes_its_reply() {
    // It extends the lease to 8 s. The last attempt before the reply ends at 6 s.
    let (slow, other) = replicas(&[Executed(Duration::ZERO), Hangs, Hangs]);
    let key = request();
    slow.begin(&key, TTL).await.unwrap();
    sleep(LEASE + SECOND / 4).await;
    assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::InProgress);

    slow.complete(&key, b"reply", TTL).await.unwrap();
    assert_eq!(other.begin(&request(), TTL).await.unwrap(), answered(b"reply"));
}
