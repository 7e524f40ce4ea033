//! The store in which servers share what they know of requests and replies.

mod calls;
mod erased;
mod request;

use std::{sync::Arc, time::Duration};

pub(crate) use calls::Storing;
pub(crate) use erased::AnyStore;
pub(super) use erased::Claim;
pub use request::StoredRequest;

use crate::BoxError;

/// A place outside of the server that knows requests and their replies, such as a database. Servers that share one
/// are *replicas*: a handler receives each request once among all of them, also after one was restarted. Given to
/// [`ServerBuilder::reply_store`](crate::ServerBuilder::reply_store).
///
/// A [`ReplyCache`](crate::ReplyCache) belongs to one process. If a repetition reaches another replica, because a
/// balancer sends it there or because the first one has ended, that replica asks the store:
///
/// - A request that no replica knows goes to the handler. When the reply is sent, it is written to the store. The
///   peer does not wait for that.
/// - A request that has a reply is answered with the same bytes, without the handler. It counts as
///   [`Duplicate`](crate::DropReason::Duplicate) and [`replayed`](crate::ServerStats::replayed).
/// - A request that another replica has begun is dropped as `Duplicate`.
///
/// The server asks its reply cache first, and the store only about requests that the cache does not know. Such a request
/// opens its conversation, or is returned by `recv`, when the store has answered. A `recv` does not time out during
/// that call. The requests of one peer wait one after the other, in their order. Those of other peers go on.
///
/// If the store fails, or takes longer than [`ReplyCache::store_timeout`](crate::ReplyCache::store_timeout),
/// [`ReplyCache::store_failure`](crate::ReplyCache::store_failure) decides whether the request is dropped or served.
/// Panics count as failures. The first failure of each second is logged at WARN, and all are counted:
/// [`store_errors`](crate::ServerStats::store_errors), [`store_timeouts`](crate::ServerStats::store_timeouts),
/// [`store_skipped`](crate::ServerStats::store_skipped).
///
/// # How to write one
///
/// A request passes through the store in this order:
///
/// 1. [`key`](Self::key) identifies the request. The server keeps the key until the reply is written.
/// 2. [`begin`](Self::begin) records the request, unless it is known. That must be one atomic step, or two replicas
///    could both begin: `SET … NX GET` in Redis, `create` in a bucket of NATS, `INSERT … ON CONFLICT` in SQL.
/// 3. [`complete`](Self::complete) adds the reply, or [`forget`](Self::forget) removes a request that no handler has
///    received.
///
/// A call that fails, is too late or is dropped may still have changed the store. So put a random number of 64 bits or
/// more, the *owner*, into each key, and store it with the request. `begin` returns `New` if the stored owner is its own,
/// and `forget` removes a record only if the owner is the same. A counter is not enough: two replicas, or one that was
/// restarted, would use the same numbers.
///
/// Two replicas must see the same address of a peer, so a balancer between them and the peers must keep it. A
/// [`RequestClient`](crate::RequestClient) with several servers asks each from another port: give it the address of the
/// balancer. The addresses of the servers are not a part of the request, because each replica has others. So services
/// that share a database need different prefixes in it.
///
/// # Examples
///
/// A store in memory, for several servers in one process. `MemoryStore::clone` is the same store:
///
/// ```
/// use datagrammar::{Begun, BoxError, Client, DropReason, Raw, ReplyStore, Server, StoredRequest};
/// use datagrammar::{TaggedServer, Text, tagged};
/// use std::collections::HashMap;
/// use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
/// use std::sync::{Arc, Mutex};
/// use std::time::{Duration, Instant};
///
/// #[derive(Clone, Default)]
/// struct MemoryStore(Arc<Mutex<HashMap<Vec<u8>, Known>>>);
///
/// struct Known {
///     owner: u64,
///     reply: Option<Vec<u8>>,
///     until: Instant,
/// }
///
/// struct Key {
///     request: Vec<u8>,
///     owner: u64,
/// }
///
/// impl ReplyStore for MemoryStore {
///     type Key = Key;
///
///     fn key(&self, request: &StoredRequest<'_>) -> Key {
///         // Enough inside one process. Replicas need random owners.
///         static OWNERS: AtomicU64 = AtomicU64::new(0);
///         Key { request: request.to_bytes(), owner: OWNERS.fetch_add(1, Ordering::Relaxed) }
///     }
///
///     async fn begin(&self, key: &Key, ttl: Duration) -> Result<Begun, BoxError> {
///         let (now, mut requests) = (Instant::now(), self.0.lock().unwrap());
///         requests.retain(|_, known| known.until > now);
///         let new = || Known { owner: key.owner, reply: None, until: now + ttl };
///         let known = requests.entry(key.request.clone()).or_insert_with(new);
///         Ok(match &known.reply {
///             Some(reply) => Begun::Answered(reply.clone()),
///             None if known.owner == key.owner => Begun::New,
///             None => Begun::InProgress,
///         })
///     }
///
///     async fn complete(&self, key: &Key, reply: &[u8], ttl: Duration) -> Result<(), BoxError> {
///         let (reply, until) = (Some(reply.to_vec()), Instant::now() + ttl);
///         let known = Known { owner: key.owner, reply, until };
///         self.0.lock().unwrap().insert(key.request.clone(), known);
///         Ok(())
///     }
///
///     async fn forget(&self, key: &Key) -> Result<(), BoxError> {
///         let mut requests = self.0.lock().unwrap();
///         requests.retain(|request, known| *request != key.request || known.owner != key.owner);
///         Ok(())
///     }
/// }
///
/// static CALLS: AtomicU32 = AtomicU32::new(0);
///
/// async fn pay(amount: String) -> String {
///     format!("{amount} paid, number {}", CALLS.fetch_add(1, Ordering::Relaxed) + 1)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let store = MemoryStore::default();
/// let replica = async || {
///     let builder = Server::builder(TaggedServer::new(Text), tagged(pay));
///     builder.reply_store(store.clone()).bind("127.0.0.1:0").await
/// };
/// // The request with the id 7. Its client keeps its port.
/// let request = &b"\x00\0\0\0\x0710 EUR"[..];
/// let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
/// let mut reply = [0; 64];
///
/// let first = replica().await?;
/// let (addr, handle) = (first.local_addr().socket_addr().unwrap(), first.handle());
/// first.spawn();
/// socket.send_to(request, addr).await?;
/// let (len, _) = socket.recv_from(&mut reply).await?;
/// assert_eq!(&reply[..len], b"\x01\0\0\0\x0710 EUR paid, number 1");
/// // It writes the reply before it ends.
/// handle.shutdown().await;
///
/// let second = replica().await?;
/// let (addr, handle) = (second.local_addr().socket_addr().unwrap(), second.handle());
/// second.spawn();
/// socket.send_to(request, addr).await?;
/// let (len, _) = socket.recv_from(&mut reply).await?;
/// assert_eq!(&reply[..len], b"\x01\0\0\0\x0710 EUR paid, number 1");
///
/// assert_eq!(CALLS.load(Ordering::Relaxed), 1);
/// assert_eq!((handle.stats().dropped(DropReason::Duplicate), handle.stats().replayed), (1, 1));
/// # Ok(())
/// # }
/// ```
#[doc(alias("replica", "idempotency", "session store", "deduplication"))]
pub trait ReplyStore: Send + Sync + 'static {
    /// Identifies a request in the store. It may also hold what the store needs later, such as the owner.
    ///
    /// The server keeps up to [`ReplyCache::max_entries`](crate::ReplyCache::max_entries) of them. Their own size
    /// counts towards [`ReplyCache::max_bytes`](crate::ReplyCache::max_bytes), and what they point to does not. So
    /// a key should be small: a digest of 32 bytes, instead of the request.
    type Key: Send + Sync + 'static;

    /// Returns the key of a request. Equal requests must give keys that find the same record, in all replicas and after a
    /// restart.
    ///
    /// It is called for each request that this server does not know, before [`begin`](Self::begin), and must not
    /// block. [`StoredRequest::to_bytes`] returns the bytes that identify the request.
    fn key(&self, request: &StoredRequest<'_>) -> Self::Key;

    /// Records that a request is being served, and forgets that after `ttl`. If the request is known, it changes
    /// nothing and returns what is known.
    ///
    /// # Errors
    ///
    /// Any error is a failure of the store: [`ReplyCache::store_failure`](crate::ReplyCache::store_failure).
    fn begin(
        &self,
        key: &Self::Key,
        ttl: Duration,
    ) -> impl Future<Output = Result<Begun, BoxError>> + Send;

    /// Adds the reply to a request, and forgets both after `ttl`, which is the rest of its time. It replaces whatever
    /// is known. If [`begin`](Self::begin) has failed and the request was served nevertheless, nothing may be known.
    ///
    /// # Errors
    ///
    /// The server counts and logs any error, and does not try again.
    fn complete(
        &self,
        key: &Self::Key,
        reply: &[u8],
        ttl: Duration,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Removes the record that was made with this key, if it has no reply. It must not remove a record that another
    /// replica has made for the same request.
    ///
    /// It is called when no handler has received the request, and after a failed [`begin`](Self::begin). So there may
    /// be nothing to forget, which is no error.
    ///
    /// # Errors
    ///
    /// The server counts and logs any error, and does not try again. Repetitions of the request are then dropped
    /// until its time is over.
    fn forget(&self, key: &Self::Key) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// What a [`ReplyStore`] knows about a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Begun {
    /// The store did not know the request, and has recorded it. The server passes it to the handler.
    New,
    /// A replica has begun the request, and there is no reply yet.
    InProgress,
    /// The request has this reply.
    Answered(Vec<u8>),
}

/// So that several servers share a store.
impl<S: ReplyStore> ReplyStore for Arc<S> {
    type Key = S::Key;

    fn key(&self, request: &StoredRequest<'_>) -> S::Key {
        S::key(self, request)
    }

    async fn begin(&self, key: &S::Key, ttl: Duration) -> Result<Begun, BoxError> {
        S::begin(self, key, ttl).await
    }

    async fn complete(&self, key: &S::Key, reply: &[u8], ttl: Duration) -> Result<(), BoxError> {
        S::complete(self, key, reply, ttl).await
    }

    async fn forget(&self, key: &S::Key) -> Result<(), BoxError> {
        S::forget(self, key).await
    }
}
