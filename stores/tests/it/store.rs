//! What every store promises.

use std::time::Duration;

use datagrammar_stores::{Created, Entry, Revision, Store};

use crate::engines::{DEADLINE, for_each_store};

for_each_store! {
    an_entry_is_created_once
    an_entry_is_replaced_only_by_who_knows_its_revision
    an_entry_is_deleted_only_if_it_is_the_one
    what_is_put_replaces_what_is_there
    an_entry_is_gone_after_its_time
    after_its_time_an_entry_is_not_found_by_its_value
    who_knows_an_entry_whose_time_is_over_replaces_no_new_one
    of_many_that_create_or_replace_at_once_one_succeeds
}

const MINUTE: Duration = Duration::from_secs(60);

async fn created(store: &impl Store, key: &str, value: &[u8]) -> Revision {
    match store.create(key, value, MINUTE).await.unwrap() {
        Created::New(revision) => revision,
        Created::Exists(entry) => panic!("{key} is there: {entry:?}"),
    }
}

// O-55
async fn an_entry_is_created_once<S: Store>(connect: impl AsyncFn() -> S) {
    let (one, other) = (connect().await, connect().await);
    assert_eq!(one.get("a.b").await.unwrap(), None);

    // Every byte, because an engine could take some for its own.
    let value: Vec<u8> = (0..=255).cycle().take(65_507).collect();
    let revision = created(&one, "a.b", &value).await;

    let there = Entry::new(revision, value);
    assert_eq!(other.create("a.b", b"", MINUTE).await.unwrap(), Created::Exists(there.clone()));
    assert_eq!(other.get("a.b").await.unwrap(), Some(there));
    created(&other, "a", b"").await;
    assert_eq!(one.get("a").await.unwrap().unwrap().value, b"");
}

// O-55
async fn an_entry_is_replaced_only_by_who_knows_its_revision<S: Store>(
    connect: impl AsyncFn() -> S,
) {
    let (one, other) = (connect().await, connect().await);
    let first = created(&one, "a", b"1").await;
    created(&one, "b", b"1").await;

    let second = one.replace("a", first, b"2", MINUTE).await.unwrap().unwrap();
    assert_ne!(first, second);
    assert_eq!(other.replace("a", first, b"3", MINUTE).await.unwrap(), None);
    assert_eq!(other.get("a").await.unwrap(), Some(Entry::new(second, b"2".to_vec())));
    assert_eq!(other.replace("c", second, b"3", MINUTE).await.unwrap(), None);
    assert_eq!(other.get("c").await.unwrap(), None);
    assert!(other.replace("a", second, b"3", MINUTE).await.unwrap().is_some());
    assert_eq!(one.get("b").await.unwrap().unwrap().value, b"1");
}

// O-55
async fn an_entry_is_deleted_only_if_it_is_the_one<S: Store>(connect: impl AsyncFn() -> S) {
    let (one, other) = (connect().await, connect().await);
    let first = created(&one, "a", b"\x01x1").await;
    let second = one.replace("a", first, b"\x01x2", MINUTE).await.unwrap().unwrap();

    assert!(!other.delete("a", first).await.unwrap());
    assert!(!other.delete_if_starts_with("a", b"x").await.unwrap());
    assert!(!other.delete_if_starts_with("a", b"\x01x2\0").await.unwrap());
    assert_eq!(one.get("a").await.unwrap().unwrap().revision, second);
    assert!(other.delete("a", second).await.unwrap());
    assert_eq!(one.get("a").await.unwrap(), None);
    assert!(!one.delete("a", second).await.unwrap());

    let third = created(&one, "a", b"\x01x3").await;
    assert!(![first, second].contains(&third));
    assert!(other.delete_if_starts_with("a", b"\x01x").await.unwrap());
    assert!(!one.delete_if_starts_with("a", b"\x01x").await.unwrap());
    created(&one, "a", b"4").await;
}

// O-55
async fn what_is_put_replaces_what_is_there<S: Store>(connect: impl AsyncFn() -> S) {
    let (one, other) = (connect().await, connect().await);
    let first = one.put("a", b"1", MINUTE).await.unwrap();

    let second = other.put("a", b"2", MINUTE).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(one.get("a").await.unwrap(), Some(Entry::new(second, b"2".to_vec())));
    assert_eq!(one.replace("a", first, b"3", MINUTE).await.unwrap(), None);
}

// O-55
async fn an_entry_is_gone_after_its_time<S: Store>(connect: impl AsyncFn() -> S) {
    let store = connect().await;
    let short = Duration::from_millis(200);
    let first = created(&store, "a", b"1").await;
    store.put("b", b"1", short).await.unwrap();
    store.replace("a", first, b"2", short).await.unwrap().unwrap();
    store.put("c", b"1", MINUTE).await.unwrap();

    let gone = async {
        while store.get("a").await.unwrap().is_some() || store.get("b").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.expect("both end");
    assert_ne!(created(&store, "a", b"3").await, first);
    created(&store, "b", b"3").await;
    assert!(store.get("c").await.unwrap().is_some());
}

/// Creates an entry and waits until its time is over.
async fn ended(store: &impl Store, key: &str) -> Revision {
    let Created::New(first) = store.create(key, b"1", Duration::from_millis(1)).await.unwrap()
    else {
        panic!("it is there")
    };
    let gone = async {
        while store.get(key).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.expect("it ends");
    first
}

// O-55
async fn after_its_time_an_entry_is_not_found_by_its_value<S: Store>(connect: impl AsyncFn() -> S) {
    let store = connect().await;
    ended(&store, "a").await;

    assert!(!store.delete_if_starts_with("a", b"1").await.unwrap());
    created(&store, "a", b"2").await;
}

// O-55
async fn who_knows_an_entry_whose_time_is_over_replaces_no_new_one<S: Store>(
    connect: impl AsyncFn() -> S,
) {
    let (one, other) = (connect().await, connect().await);
    for round in 0..20 {
        let key = format!("round.{round}");
        let known = ended(&one, &key).await;
        let (replaced, new) =
            tokio::join!(one.replace(&key, known, b"2", MINUTE), other.create(&key, b"3", MINUTE));

        // NATS may replace it, but then there is no new one.
        let is_new = matches!(new.unwrap(), Created::New(_));
        assert_ne!(replaced.unwrap().is_some(), is_new, "one of both");
        let value = if is_new { b"3" } else { b"2" };
        assert_eq!(one.get(&key).await.unwrap().unwrap().value, value);

        let known = ended(&one, &format!("new.{round}")).await;
        let new = created(&other, &format!("new.{round}"), b"3").await;
        assert_eq!(one.replace(&format!("new.{round}"), known, b"2", MINUTE).await.unwrap(), None);
        assert!(!one.delete(&format!("new.{round}"), known).await.unwrap());
        assert!(other.delete(&format!("new.{round}"), new).await.unwrap());
    }
}

// O-55
async fn of_many_that_create_or_replace_at_once_one_succeeds<S: Store>(
    connect: impl AsyncFn() -> S,
) {
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(std::sync::Arc::new(connect().await));
    }
    for round in 0..20 {
        let key = format!("round.{round}");
        let claims = replicas.iter().map(|store| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move { store.create(&key, b"1", MINUTE).await.unwrap() })
        });
        let mut new = Vec::new();
        for claim in claims.collect::<Vec<_>>() {
            if let Created::New(revision) = claim.await.unwrap() {
                new.push(revision);
            }
        }
        assert_eq!(new.len(), 1, "one creates");

        let writes = replicas.iter().map(|store| {
            let (store, key, revision) = (store.clone(), key.clone(), new[0]);
            tokio::spawn(async move { store.replace(&key, revision, b"2", MINUTE).await.unwrap() })
        });
        let mut replaced = 0;
        for write in writes.collect::<Vec<_>>() {
            replaced += u32::from(write.await.unwrap().is_some());
        }
        assert_eq!(replaced, 1, "one replaces");
    }
}
