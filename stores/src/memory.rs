//! A store in the memory of the process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Created, Entry, Revision, Store, StoreError, clock::later, unique};

/// Keeps entries in the memory of the process, for tests and for several servers in one program. A clone is the same
/// store.
///
/// Its time is that of tokio, so a test can pause it. Entries whose time is over are removed when another one is
/// created. There is no limit on their number.
///
/// # Examples
///
/// ```
/// use datagrammar_stores::{Created, MemoryStore, Store, StoreError};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let minute = Duration::from_secs(60);
/// let Created::New(first) = store.create("a", b"1", minute).await? else { panic!("it was there") };
/// let second = store.replace("a", first, b"2", minute).await?;
/// assert!(second.is_some());
/// assert_eq!(store.replace("a", first, b"3", minute).await?, None); // another one was faster
/// assert_eq!(store.get("a").await?.unwrap().value, b"2");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<HashMap<String, Kept>>>);

#[derive(Debug)]
struct Kept {
    entry: Entry,
    until: Instant,
}

impl Kept {
    fn new(value: &[u8], ttl: Duration) -> Self {
        let entry = Entry::new(Revision::new(unique::number()), value.to_vec());
        Self { entry, until: later(Instant::now(), ttl) }
    }
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the entry of a key whose time is not over.
    fn entry(kept: &HashMap<String, Kept>, key: &str) -> Option<Entry> {
        kept.get(key).filter(|kept| kept.until > Instant::now()).map(|kept| kept.entry.clone())
    }

    fn delete_if(&self, key: &str, is_it: impl FnOnce(&Entry) -> bool) -> bool {
        let mut kept = self.kept();
        let deleted = Self::entry(&kept, key).is_some_and(|entry| is_it(&entry));
        if deleted {
            kept.remove(key);
        }
        deleted
    }
}

impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(Self::entry(&self.kept(), key))
    }

    async fn create(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Created, StoreError> {
        let (now, mut kept) = (Instant::now(), self.kept());
        kept.retain(|_, kept| kept.until > now);
        if let Some(entry) = Self::entry(&kept, key) {
            return Ok(Created::Exists(entry));
        }
        let new = Kept::new(value, ttl);
        let revision = new.entry.revision;
        kept.insert(key.to_owned(), new);
        Ok(Created::New(revision))
    }

    async fn replace(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Revision>, StoreError> {
        let mut kept = self.kept();
        if Self::entry(&kept, key).is_none_or(|entry| entry.revision != revision) {
            return Ok(None);
        }
        let new = Kept::new(value, ttl);
        let revision = new.entry.revision;
        kept.insert(key.to_owned(), new);
        Ok(Some(revision))
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Revision, StoreError> {
        let new = Kept::new(value, ttl);
        let revision = new.entry.revision;
        self.kept().insert(key.to_owned(), new);
        Ok(revision)
    }

    async fn delete(&self, key: &str, revision: Revision) -> Result<bool, StoreError> {
        Ok(self.delete_if(key, |entry| entry.revision == revision))
    }

    async fn delete_if_starts_with(&self, key: &str, start: &[u8]) -> Result<bool, StoreError> {
        Ok(self.delete_if(key, |entry| entry.value.starts_with(start)))
    }
}

#[cfg(test)]
mod tests {
    use datagrammar::{Begun, Json, ReplyStore};

    use super::*;
    use crate::{Replies, Sessions, replies::request};

    // O-55
    #[tokio::test(start_paused = true)]
    async fn a_time_may_be_longer_than_an_instant_can_say() {
        let store = MemoryStore::new();
        let sessions = Sessions::new(store.clone(), Json::<u32>::new()).ttl(Duration::MAX);
        sessions.create("a", &1).await.unwrap();
        let replies = Replies::new(store).lease(Duration::MAX / 2);
        let key = request();
        assert_eq!(replies.begin(&key, Duration::MAX).await.unwrap(), Begun::New);

        tokio::time::sleep(Duration::from_secs(365 * 86_400)).await;
        assert_eq!(sessions.load("a").await.unwrap().unwrap().state, 1);
        assert_eq!(replies.begin(&request(), Duration::MAX).await.unwrap(), Begun::InProgress);
    }
}
