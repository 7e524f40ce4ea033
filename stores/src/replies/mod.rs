//! The reply store over any engine: who serves a request, for how long, and its reply.

mod claim;
mod lease;

use std::{fmt, sync::Arc, time::Duration};

use datagrammar::{Begun, BoxError, ReplyStore, StoredRequest};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

pub use self::claim::ReplyKey;
use self::{
    claim::Record,
    lease::{Lease, Renewal, Until},
};
use crate::{Created, Revision, Store, clock::later};

/// A [`ReplyStore`] in any [`Store`]: a handler receives a request once among all replicas, and a repetition gets the
/// same reply from each of them.
///
/// A new request costs one call that it waits for, and one after its reply, which nobody waits for. What the reply
/// cache of the server knows costs none. The [reply cache](datagrammar::ReplyCache) has the options: how long a request
/// is known, how long a call may take, and whether requests are dropped or served while the store is down. The stats of
/// the server count failures ([`store_errors`](datagrammar::ServerStats::store_errors),
/// [`store_timeouts`](datagrammar::ServerStats::store_timeouts)).
///
/// # When a replica dies
///
/// A replica that has begun a request may die before it has written the reply. Nobody knows then whether the handler
/// has done its work.
///
/// | | a request that a dead replica had begun | the handler runs |
/// | --- | --- | --- |
/// | without [`lease`](Self::lease) (the default) | is not answered until its time is over: 30 s, as long as its client repeats it | once at most |
/// | with a lease | is served by another replica, when the lease is over | again, if a replica dies or cannot reach the store for the time of the lease |
///
/// A replica that could not renew its lease does not replace what another one has: its own client gets the late reply, and
/// repetitions get that of the new owner. Only a reply that is on its way to the store when the lease ends may arrive
/// there later and replace it.
///
/// With a lease, what the handler does must be harmless when it is done twice: for example an entry that it
/// [creates](crate::Sessions::create) under a key of the request, such as the number of an order.
///
/// # Examples
///
/// Two servers that share a store. With `RedisStore` or `NatsStore` instead of `MemoryStore` they may be in different
/// hosts:
///
/// ```
/// use datagrammar::{BoxError, RequestClient, Server, Tagged, TaggedServer, Text, tagged};
/// use datagrammar_stores::{MemoryStore, Replies};
/// use std::time::Duration;
///
/// async fn pay(amount: String) -> String {
///     format!("{amount} paid")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let store = MemoryStore::new();
/// for _ in 0..2 {
///     let replies = Replies::new(store.clone()).lease(Duration::from_secs(5));
///     let server = Server::builder(TaggedServer::new(Text), tagged(pay))
///         .reply_store(replies)
///         .bind("127.0.0.1:0")
///         .await?;
///     let addr = server.local_addr();
///     server.spawn();
///     let client = RequestClient::connect(addr, Tagged::new(Text)).await?;
///     assert_eq!(client.request("10 EUR".to_owned()).await?, "10 EUR paid");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "it has an effect only when it is given to a server"]
pub struct Replies<S> {
    store: Arc<S>,
    lease: Option<Duration>,
    identity: Option<Box<Identity>>,
}

type Identity = dyn Fn(&StoredRequest<'_>) -> Vec<u8> + Send + Sync;

impl<S: Store> Replies<S> {
    /// Makes a reply store of an engine.
    pub fn new(store: S) -> Self {
        Self { store: Arc::new(store), lease: None, identity: None }
    }

    /// Sets for how long a request belongs to the replica that has begun it. As long as its handler works, the replica
    /// extends the time, with one call for each third of it. If the replica dies, another one serves the request when it
    /// is repeated after this time. Without a lease, which is the default, nobody else serves it.
    ///
    /// A call that fails, or has no answer within a sixth of the time, is repeated after a twelfth of it: three begin
    /// before the time is over. So take some seconds: more than twice the longest pause in which a healthy replica
    /// cannot reach the store, and more than 6 times what a call takes at most. The minimum is 30 ms.
    ///
    /// The lease also ends when the reply cache of the server forgets the request, even if its handler still works. So
    /// [`ReplyCache::max_entries`](datagrammar::ReplyCache::max_entries) must be at least the new requests per second
    /// times [`ttl`](datagrammar::ReplyCache::ttl) in seconds, and
    /// [`max_bytes`](datagrammar::ReplyCache::max_bytes) that number times 512 bytes and the length of a reply.
    /// [`reply_cache_evictions`](datagrammar::ServerStats::reply_cache_evictions) must stay 0.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = Some(time.max(Duration::from_millis(30)));
        self
    }

    /// Sets what identifies a request. The default is [`StoredRequest::to_bytes`]: the address of the peer, the id and
    /// the bytes.
    ///
    /// Behind a balancer that does not keep the address of the peer (nginx without `transparent`, a NAT), each
    /// repetition has another one. Then identify a request by what its client has written. Clients must not send two
    /// requests with equal bytes then, so put a random number of 128 bits, or the name of the client and a number, into
    /// each packet. A client that knows the bytes of a request also gets its reply.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_stores::{MemoryStore, Replies};
    ///
    /// let replies = Replies::new(MemoryStore::new()).identified_by(|request| request.datagram().to_vec());
    /// # drop(replies);
    /// ```
    pub fn identified_by(
        mut self,
        identity: impl Fn(&StoredRequest<'_>) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.identity = Some(Box::new(identity));
        self
    }

    /// Renews the lease of a request that was begun with this revision, by a call that began at this time.
    fn renewed(
        &self,
        key: &ReplyKey,
        revision: Revision,
        lease: Duration,
        asked: Instant,
        ttl: Duration,
    ) -> Lease {
        let renewal = Renewal {
            store: Arc::clone(&self.store),
            name: key.name(),
            claim: key.claim(),
            revision,
            lease,
            until: Until::new(later(asked, lease)),
            end: later(asked, ttl),
        };
        Lease::renewed(renewal, asked)
    }
}

impl<S: Store> ReplyStore for Replies<S> {
    type Key = ReplyKey;

    fn key(&self, request: &StoredRequest<'_>) -> ReplyKey {
        let bytes = match &self.identity {
            Some(identity) => identity(request),
            None => request.to_bytes(),
        };
        ReplyKey::new(Sha256::digest(bytes).into())
    }

    async fn begin(&self, key: &ReplyKey, ttl: Duration) -> Result<Begun, BoxError> {
        let lease = self.lease.map_or(ttl, |lease| lease.min(ttl));
        let asked = Instant::now();
        let revision = match self.store.create(&key.name(), &key.claim(), lease).await? {
            Created::New(revision) => revision,
            Created::Exists(entry) => match Record::read(entry.value)? {
                Record::Reply(reply) => return Ok(Begun::Answered(reply)),
                // The client of the engine has sent the call again.
                Record::Claim(owner) if owner == key.owner() => entry.revision,
                Record::Claim(_) => return Ok(Begun::InProgress),
            },
        };
        if lease < ttl {
            key.keep(|| self.renewed(key, revision, lease, asked, ttl));
        }
        Ok(Begun::New)
    }

    async fn complete(&self, key: &ReplyKey, reply: &[u8], ttl: Duration) -> Result<(), BoxError> {
        key.stop_renewing();
        let (name, value) = (key.name(), key.reply(reply));
        if !key.may_be_lost() {
            self.store.put(&name, &value, ttl).await?;
            return Ok(());
        }
        loop {
            match self.store.create(&name, &value, ttl).await? {
                // The lease was extended by a call without an answer. Another such call may come in between.
                Created::Exists(entry) if entry.value == key.claim() => {
                    if self.store.replace(&name, entry.revision, &value, ttl).await?.is_some() {
                        return Ok(());
                    }
                }
                // Nobody had it, or another replica has it.
                Created::New(_) | Created::Exists(_) => return Ok(()),
            }
        }
    }

    async fn forget(&self, key: &ReplyKey) -> Result<(), BoxError> {
        key.stop_renewing();
        self.store.delete_if_starts_with(&key.name(), &key.claim()).await?;
        Ok(())
    }
}

impl<S> fmt::Debug for Replies<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// The request that tests repeat. Each call has another owner, as each arrival has.
#[cfg(test)]
pub(crate) fn request() -> ReplyKey {
    ReplyKey::new([1; 32])
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::MemoryStore;

    const TTL: Duration = Duration::from_secs(30);
    const LEASE: Duration = Duration::from_secs(6);

    /// Two replicas that share a store.
    fn replicas(lease: Option<Duration>) -> [Replies<MemoryStore>; 2] {
        let store = MemoryStore::new();
        [store.clone(), store].map(|store| Replies { lease, ..Replies::new(store) })
    }

    // O-50
    #[tokio::test(start_paused = true)]
    async fn what_one_replica_serves_another_one_does_not_and_it_gets_the_reply() {
        let [one, other] = replicas(None);
        let key = request();

        assert_eq!(one.begin(&key, TTL).await.unwrap(), Begun::New);
        assert_eq!(one.begin(&key, TTL).await.unwrap(), Begun::New); // it has asked before
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::InProgress);
        one.complete(&key, b"reply", TTL).await.unwrap();
        let answered = Begun::Answered(b"reply".to_vec());
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), answered);
        assert_eq!(other.begin(&ReplyKey::new([2; 32]), TTL).await.unwrap(), Begun::New);
    }

    // O-50
    #[tokio::test(start_paused = true)]
    async fn only_who_has_begun_a_request_forgets_it_and_not_its_reply() {
        let [one, other] = replicas(Some(LEASE));
        let key = request();
        one.begin(&key, TTL).await.unwrap();

        other.forget(&request()).await.unwrap();
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::InProgress);
        one.forget(&key).await.unwrap();
        let key = request();
        assert_eq!(other.begin(&key, TTL).await.unwrap(), Begun::New);
        other.complete(&key, b"reply", TTL).await.unwrap();
        other.forget(&key).await.unwrap();
        let answered = Begun::Answered(b"reply".to_vec());
        assert_eq!(one.begin(&request(), TTL).await.unwrap(), answered);
    }

    // O-52
    #[tokio::test(start_paused = true)]
    async fn a_request_of_a_dead_replica_is_served_again_when_its_lease_is_over() {
        let [dead, other] = replicas(Some(LEASE));
        let key = request();
        dead.begin(&key, TTL).await.unwrap();
        drop(key);

        sleep(LEASE - Duration::from_millis(1)).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::InProgress);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::New);
    }

    // O-52
    #[tokio::test(start_paused = true)]
    async fn while_its_handler_works_a_replica_keeps_its_request() {
        let [slow, other] = replicas(Some(LEASE));
        let key = request();
        slow.begin(&key, TTL).await.unwrap();

        for _ in 0..29 {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::InProgress);
        }
        // The whole time of a request is over, so the client does not repeat it any more.
        sleep(Duration::from_secs(1)).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::New);
    }

    // O-52
    #[tokio::test(start_paused = true)]
    async fn after_the_reply_the_lease_is_not_renewed() {
        let [one, other] = replicas(Some(LEASE));
        let key = request();
        one.begin(&key, TTL).await.unwrap();
        one.complete(&key, b"reply", 2 * TTL).await.unwrap();

        let answered = Begun::Answered(b"reply".to_vec());
        sleep(TTL).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), answered);
        sleep(TTL).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::New);
    }

    // O-52
    #[tokio::test(start_paused = true)]
    async fn without_a_lease_nobody_else_serves_a_request_within_its_time() {
        let [dead, other] = replicas(None);
        drop(dead.begin(&request(), TTL).await.unwrap());

        sleep(TTL - Duration::from_millis(1)).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::InProgress);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(other.begin(&request(), TTL).await.unwrap(), Begun::New);
    }
}
