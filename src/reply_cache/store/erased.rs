//! A reply store and its keys, without their types. Nothing of the store unwinds through here.

use std::{fmt, sync::Arc, time::Duration};

use super::{Begun, ReplyStore, StoredRequest};
use crate::{BoxError, events, hook::Hook, panic};

/// A reply store of any type.
pub(crate) trait AnyStore: Send + Sync {
    /// Makes the key of a request. It may panic.
    fn claim(&self, request: &StoredRequest<'_>) -> Arc<dyn Claim>;
}

/// A request in its store.
pub(crate) trait Claim: fmt::Debug + Send + Sync {
    fn begin(self: Arc<Self>, ttl: Duration) -> Call<Begun>;

    fn complete(self: Arc<Self>, reply: Arc<[u8]>, ttl: Duration) -> Call<()>;

    fn forget(self: Arc<Self>) -> Call<()>;

    /// How many bytes it counts.
    fn bytes(&self) -> usize;
}

/// A call of the store.
pub(super) type Call<T> = Hook<'static, Result<T, BoxError>>;

pub(super) const FAILED: &str = "the reply store failed";

/// The most memory, in bytes, that a claim takes besides its key: its header, the pointer to the store, its place in a
/// B-tree whose nodes are half full, and the overhead of an allocator.
const OVERHEAD: usize = 112;

impl<S: ReplyStore> AnyStore for Arc<S> {
    fn claim(&self, request: &StoredRequest<'_>) -> Arc<dyn Claim> {
        Arc::new(ClaimOf { store: Self::clone(self), key: Some(self.key(request)) })
    }
}

struct ClaimOf<S: ReplyStore> {
    store: Arc<S>,
    /// Taken when this is dropped.
    key: Option<S::Key>,
}

impl<S: ReplyStore> ClaimOf<S> {
    fn key(&self) -> &S::Key {
        self.key.as_ref().expect("it is there until the drop")
    }
}

impl<S: ReplyStore> Claim for ClaimOf<S> {
    // The methods of the store are called inside the blocks, since they may panic before they return a future.
    fn begin(self: Arc<Self>, ttl: Duration) -> Call<Begun> {
        Hook::new(async move { self.store.begin(self.key(), ttl).await }, FAILED)
    }

    fn complete(self: Arc<Self>, reply: Arc<[u8]>, ttl: Duration) -> Call<()> {
        Hook::new(async move { self.store.complete(self.key(), &reply, ttl).await }, FAILED)
    }

    fn forget(self: Arc<Self>) -> Call<()> {
        Hook::new(async move { self.store.forget(self.key()).await }, FAILED)
    }

    fn bytes(&self) -> usize {
        OVERHEAD + size_of::<S::Key>()
    }
}

impl<S: ReplyStore> Drop for ClaimOf<S> {
    fn drop(&mut self) {
        let key = self.key.take();
        if let Err(panicked) = panic::catch(|| drop(key)) {
            events::hook_failed(FAILED, &panicked);
        }
    }
}

impl<S: ReplyStore> fmt::Debug for ClaimOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}
