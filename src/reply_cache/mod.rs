//! The reply cache: a handler receives each request once, and a repetition gets the same reply again.

mod replies;
mod reply;
mod shared;
mod store;
mod table;
mod ticket;

use std::time::Duration;

pub(crate) use replies::{Arrival, Keep, Recorded, Replies};
pub(crate) use reply::Reply;
pub(crate) use shared::{ReadId, Shared};
pub(crate) use store::{AnyStore, Storing};
pub use store::{Begun, ReplyStore, StoredRequest};
pub(crate) use ticket::{Ticket, Verdict};

use crate::LimitError;

/// The options of a reply cache: how long the server remembers requests and replies, and how much memory they
/// take. Given to [`ServerBuilder::reply_cache`](crate::ServerBuilder::reply_cache).
///
/// A client that gets no reply in time repeats its request, with the same id and the same bytes. The network can also
/// duplicate a datagram. With a reply cache, the handler receives such a request once (*at-most-once*
/// execution, [RFC 5080] section 2.2.2, [RFC 7252] section 4.5):
///
/// - A repetition that arrives while the request waits, or while its handler works, is dropped.
/// - A repetition that arrives after the reply gets the same bytes again, without the handler. This also holds after
///   the conversation has ended.
/// - If the handler has sent no reply, the repetition is dropped. So a handler that fails or panics is not called again,
///   and the client gets no response. To tell it of an error, make the response a `Result`, or
///   [refuse](crate::TaggedRequest::refuse) the request.
///
/// All these repetitions count as [`DropReason::Duplicate`](crate::DropReason::Duplicate), and those that were
/// answered also in [`ServerStats::replayed`](crate::ServerStats::replayed). If the server drops a request before
/// a handler receives it, for example because a queue is full, it forgets the request. Its repetition is a new one.
///
/// A request is identified by the peer (its address, and the address of the server that it has sent to), the
/// [id](crate::Correlated::id), and a digest of its bytes. So the same id with other bytes is a new request. Datagrams
/// without an id, and those from Unix sockets without a name, are never repetitions.
///
/// The reply to a request is the first datagram with its id that the server sends to that peer after the handler has
/// received the request. If several requests of a peer have the same id, it is the reply to the newest one without
/// a reply. A reply with file descriptors or credentials cannot be repeated: after it, a repetition is dropped.
///
/// | option | default |
/// | --- | --- |
/// | [`ttl`](Self::ttl) | 30 s |
/// | [`max_entries`](Self::max_entries) | 65,536 requests |
/// | [`max_bytes`](Self::max_bytes) | 16 MiB |
/// | [`store_timeout`](Self::store_timeout) | 1 s |
/// | [`store_failure`](Self::store_failure) | [`StoreFailure::Drop`] |
/// | [`max_store_writes`](Self::max_store_writes) | 1,024 |
///
/// Beyond a limit, the server forgets the oldest request, counted in
/// [`ServerStats::reply_cache_evictions`](crate::ServerStats::reply_cache_evictions). A repetition of a request that
/// was forgotten is served again, unless a [reply store](ReplyStore) knows it: then it is dropped, since nobody knows
/// its reply. Restarting the program also forgets all requests, and another server does not know
/// them: for these cases there is [`ReplyStore`].
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Client, DropReason, Raw, ReplyCache, Server, TaggedServer, Text, tagged};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static CALLS: AtomicU32 = AtomicU32::new(0);
///
/// async fn pay(amount: String) -> String {
///     CALLS.fetch_add(1, Ordering::Relaxed);
///     format!("{amount} paid")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let server = Server::builder(TaggedServer::new(Text), tagged(pay))
///     .reply_cache(ReplyCache::default())
///     .bind("127.0.0.1:0")
///     .await?;
/// let (addr, handle) = (server.local_addr(), server.handle());
/// server.spawn();
///
/// // A request with the id 7. The client repeats it, as if the reply was lost.
/// let request = &b"\x00\0\0\0\x0710 EUR"[..];
/// let client = Client::connect(addr, Raw).await?;
/// for _ in 0..2 {
///     client.send(&request.into()).await?;
///     assert_eq!(client.recv().await?, &b"\x01\0\0\0\x0710 EUR paid"[..]);
/// }
///
/// handle.shutdown().await;
/// assert_eq!(CALLS.load(Ordering::Relaxed), 1);
/// assert_eq!((handle.stats().dropped(DropReason::Duplicate), handle.stats().replayed), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// [RFC 5080]: https://www.rfc-editor.org/rfc/rfc5080#section-2.2.2
/// [RFC 7252]: https://www.rfc-editor.org/rfc/rfc7252#section-4.5
#[doc(alias(
    "response cache",
    "duplicate detection",
    "at most once",
    "deduplication",
    "idempotency"
))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it has an effect only when it is given to a server"]
pub struct ReplyCache {
    ttl: Duration,
    max_entries: usize,
    max_bytes: usize,
    store_timeout: Duration,
    store_failure: StoreFailure,
    max_store_writes: usize,
}

/// What happens to a request when the [reply store](ReplyStore) fails or is too slow, so that nobody knows whether
/// another server has served it. Set with [`ReplyCache::store_failure`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreFailure {
    /// It is dropped, counted as [`DropReason::StoreFailed`](crate::DropReason::StoreFailed). Its client repeats it, so
    /// it is served later, once. While the store is down, nothing is served except what this server knows already.
    #[default]
    Drop,
    /// It is served as a new one. While the store is down, each server protects only from repetitions of what it has
    /// received itself.
    Serve,
}

impl ReplyCache {
    /// Sets how long the server remembers a request, from its arrival. The default is 30 seconds.
    ///
    /// It should be as long as the [`total_timeout`](crate::RequestClientBuilder::total_timeout) of the clients and the
    /// longest delay of a datagram together. With its default timers, a `RequestClient` sends its last attempt several
    /// seconds before its 30 s are over.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how many requests the server remembers. The default is 65,536.
    pub const fn max_entries(mut self, requests: usize) -> Self {
        self.max_entries = requests;
        self
    }

    /// Sets how many bytes the requests and replies may take. The default is 16 MiB.
    ///
    /// Each request counts 256 bytes and the length of its reply. A request from a Unix socket also counts the length
    /// of that socket's name. A reply that is longer than this limit is not kept: a repetition of its request is
    /// dropped. With a [reply store](ReplyStore), each request without a reply also counts its
    /// [key](ReplyStore::Key) and 112 bytes.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how long a call of the [reply store](ReplyStore) may take. The default is 1 second. Without a store, it
    /// has no effect.
    pub const fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Sets what happens to a request when the [reply store](ReplyStore) fails or is too slow. The default is
    /// [`StoreFailure::Drop`]. Without a store, it has no effect.
    pub const fn store_failure(mut self, failure: StoreFailure) -> Self {
        self.store_failure = failure;
        self
    }

    /// Sets how many [`complete`](ReplyStore::complete) and [`forget`](ReplyStore::forget) calls of the reply store
    /// may run at once, with the [`begin`](ReplyStore::begin) calls that they wait for. The default is 1,024. The
    /// server skips further ones, counted as [`ServerStats::store_skipped`](crate::ServerStats::store_skipped).
    ///
    /// The number of calls that requests wait for is limited by
    /// [`Limits::max_conversations`](crate::Limits::max_conversations).
    pub const fn max_store_writes(mut self, calls: usize) -> Self {
        self.max_store_writes = calls;
        self
    }

    /// Returns how long the server remembers a request; see [`ttl`](Self::ttl).
    #[must_use]
    pub const fn get_ttl(&self) -> Duration {
        self.ttl
    }

    /// Returns how many requests the server remembers; see [`max_entries`](Self::max_entries).
    #[must_use]
    pub const fn get_max_entries(&self) -> usize {
        self.max_entries
    }

    /// Returns how many bytes the requests and replies may take; see [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub const fn get_max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns how long a call of the reply store may take; see [`store_timeout`](Self::store_timeout).
    #[must_use]
    pub const fn get_store_timeout(&self) -> Duration {
        self.store_timeout
    }

    /// Returns what happens when the reply store fails; see [`store_failure`](Self::store_failure).
    #[must_use]
    pub const fn get_store_failure(&self) -> StoreFailure {
        self.store_failure
    }

    /// Returns how many calls of the reply store may run that no request waits for; see
    /// [`max_store_writes`](Self::max_store_writes).
    #[must_use]
    pub const fn get_max_store_writes(&self) -> usize {
        self.max_store_writes
    }

    /// Returns an error if a limit is 0.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        let zero = [
            ("ReplyCache::ttl", self.ttl.is_zero()),
            ("ReplyCache::max_entries", self.max_entries == 0),
            ("ReplyCache::max_bytes", self.max_bytes == 0),
            ("ReplyCache::store_timeout", self.store_timeout.is_zero()),
            ("ReplyCache::max_store_writes", self.max_store_writes == 0),
        ];
        match zero.iter().find(|(_, zero)| *zero) {
            Some((name, _)) => Err(LimitError::Zero(name)),
            None => Ok(()),
        }
    }
}

impl Default for ReplyCache {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30),
            max_entries: 65_536,
            max_bytes: 16 << 20,
            store_timeout: Duration::from_secs(1),
            store_failure: StoreFailure::Drop,
            max_store_writes: 1_024,
        }
    }
}
