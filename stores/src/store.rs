//! What this crate asks of an engine: entries with a revision, which are created, replaced and deleted in one step.

use std::time::Duration;

use crate::StoreError;

/// A place outside of the program that keeps entries for a limited time, and changes each in one step.
///
/// [`Replies`](crate::Replies) and [`Sessions`](crate::Sessions) need nothing else of an engine. `RedisStore`,
/// `NatsStore` and [`MemoryStore`](crate::MemoryStore) implement it.
///
/// A call that returns an error, or whose future is dropped, may still have changed the entry.
///
/// # How to write one
///
/// - A key has 1 to 128 of the characters `a` to `z`, `0` to `9` and `.`, and neither begins nor ends with a dot. So it
///   is valid in each engine.
/// - `create`, `replace` and both deletions must be atomic: of several replicas that call them at once, one succeeds.
/// - After `ttl` an entry is gone: `get` does not return it, and `create` makes a new one. Until then, `replace` and
///   `delete` may still find its revision if the engine cannot look at the time in the same step, as NATS cannot. So
///   somebody who knows the revision may keep the entry alive, but nobody loses what another one has created.
/// - A revision of a key is never used again, also not after a deletion.
pub trait Store: Send + Sync + 'static {
    /// Returns the entry of a key, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send;

    /// Stores an entry unless the key has one. Then it changes nothing and returns that entry.
    ///
    /// # Errors
    ///
    /// The engine failed, or it cannot keep an entry for so long ([`StoreError::Ttl`]).
    fn create(
        &self,
        key: &str,
        value: &[u8],
        ttl: Duration,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// Replaces an entry if it still has this revision, and returns the new one. Otherwise it changes nothing and
    /// returns `None`. An entry whose time is over, and which nobody has created again, may be replaced or not.
    ///
    /// # Errors
    ///
    /// The engine failed, or it cannot keep an entry for so long ([`StoreError::Ttl`]).
    fn replace(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
        ttl: Duration,
    ) -> impl Future<Output = Result<Option<Revision>, StoreError>> + Send;

    /// Stores an entry, whatever the key has, and returns its revision.
    ///
    /// # Errors
    ///
    /// The engine failed, or it cannot keep an entry for so long ([`StoreError::Ttl`]).
    fn put(
        &self,
        key: &str,
        value: &[u8],
        ttl: Duration,
    ) -> impl Future<Output = Result<Revision, StoreError>> + Send;

    /// Deletes an entry if it still has this revision, and returns whether it had. For an entry whose time is over, and
    /// which nobody has created again, it may return either.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn delete(
        &self,
        key: &str,
        revision: Revision,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes an entry if its value begins with these bytes, and returns whether it did. It is for a caller that does
    /// not know the revision, because the call that created the entry has failed.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn delete_if_starts_with(
        &self,
        key: &str,
        start: &[u8],
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// What a [`Store`] keeps for a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry {
    /// Changes whenever the value is written.
    pub revision: Revision,
    /// The bytes that were stored.
    pub value: Vec<u8>,
}

impl Entry {
    /// Makes an entry, for a [`Store`] of your own.
    #[must_use]
    pub const fn new(revision: Revision, value: Vec<u8>) -> Self {
        Self { revision, value }
    }
}

/// Which of the values of a key one is. Two of one key can be compared for equality; their order means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// Makes a revision of its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What [`Store::create`] did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third case")]
pub enum Created {
    /// The entry was stored, with this revision.
    New(Revision),
    /// The key has this entry already.
    Exists(Entry),
}
