//! What all sockets of a server share of its reply cache.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    ReplyCache, StoreFailure,
    store::Storing,
    table::{Table, Unwritten},
};
use crate::{
    chunk::PacketId,
    lock::locked,
    stats::{Counters, add},
};

/// Reads the id in a datagram. It is the user's code.
pub(crate) type ReadId = Box<dyn Fn(&[u8]) -> Option<u64> + Send + Sync>;

/// The requests and replies of all sockets of a server.
pub(crate) struct Shared {
    pub(super) read_id: ReadId,
    pub(super) storing: Option<Arc<Storing>>,
    options: ReplyCache,
    /// How many bytes come before the packet of a reply.
    pub(super) reply_header: usize,
    table: Mutex<Table>,
    /// The name of the next reply in chunks. It begins at random and rises by one.
    next_name: AtomicU32,
    counters: Arc<Counters>,
    /// The keys of two hashes: one of peers and ids, one of the bytes of requests. An attacker who knew the keys could
    /// find two requests with the same hashes. The keys are random and never leave the process, so nobody can search
    /// for such requests offline, and 64 bits are enough.
    pub(super) conversations: RandomState,
    pub(super) bytes: RandomState,
}

impl Shared {
    pub(crate) fn new(
        options: ReplyCache,
        read_id: ReadId,
        reply_header: usize,
        storing: Option<Storing>,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let table = Mutex::new(Table::new(options.clone()));
        let (conversations, bytes) = (RandomState::new(), RandomState::new());
        let storing = storing.map(Arc::new);
        let next_name = AtomicU32::new(bytes.hash_one(0) as u32);
        Arc::new(Self {
            read_id,
            storing,
            options,
            reply_header,
            table,
            next_name,
            counters,
            conversations,
            bytes,
        })
    }

    /// Gives the reply to request `number` with this id a name, if it is sent in chunks and kept. The name is not 0, and
    /// is not used again for 2^32 replies.
    pub(super) fn name(
        &self,
        table: &mut Table,
        number: u64,
        id: u64,
        in_chunks: bool,
    ) -> Option<PacketId> {
        if !in_chunks {
            return None;
        }
        let name = self.next_name.fetch_add(1, Relaxed).max(1);
        table.name(number, name).then_some(PacketId { id, number: name })
    }

    pub(super) const fn ttl(&self) -> Duration {
        self.options.get_ttl()
    }

    pub(super) const fn store_failure(&self) -> StoreFailure {
        self.options.get_store_failure()
    }

    /// Changes the table. Nothing of the user's runs meanwhile, and nothing is sent.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = locked(&self.table);
        let result = change(&mut table);
        let evicted = mem::take(&mut table.evicted);
        // Keys of the store are dropped after the lock is released, because they have a type of the user's.
        let _spent = mem::take(&mut table.spent);
        drop(table);
        add(&self.counters.reply_cache_evictions, evicted);
        result
    }

    /// A reply was sent. If the request is in the store, the reply is written there too.
    #[cold]
    pub(super) fn sent(&self, number: u64) {
        let Some(storing) = &self.storing else { return };
        let unwritten = self.change(|table| table.sent(number));
        let Some(Unwritten { claim, reply, since }) = unwritten else { return };
        let rest = self.ttl().saturating_sub(Instant::now().saturating_duration_since(since));
        if !rest.is_zero() {
            storing.call_in_background(claim.complete(reply, rest));
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
