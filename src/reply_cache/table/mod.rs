//! The table of requests and replies. It has no lock, clock or hash, so its tests need none.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use tokio::time::Instant;

use super::{ReplyCache, store::Claim};
use crate::Addr;

/// The requests that are known, and their replies.
///
/// The maps are B-trees, because these release memory while they become smaller. An attacker cannot choose the
/// hashes in their keys.
#[derive(Debug)]
pub(super) struct Table {
    limits: ReplyCache,
    /// All requests, in the order of arrival.
    entries: BTreeMap<u64, Box<Entry>>,
    /// The numbers of all requests, by the hash of peer and id and the digest of the bytes.
    numbers: BTreeMap<(u64, u64), u64>,
    /// The requests that a handler has received and not answered: the hash of peer and id, and the number.
    unanswered: BTreeSet<(u64, u64)>,
    /// The requests whose replies can be asked for in chunks: the hash of peer and id, and the name of the reply.
    names: BTreeMap<(u64, u32), u64>,
    /// The claims of requests in the reply store, until their replies are sent.
    claims: BTreeMap<u64, Arc<dyn Claim>>,
    next: u64,
    bytes: usize,
    /// How many requests were forgotten because of a limit. The caller counts and resets it.
    pub(super) evicted: u64,
    /// Claims that are not needed any more. The caller drops them.
    pub(super) spent: Vec<Arc<dyn Claim>>,
}

/// A request without its bytes.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The number of the address that it was sent to.
    pub(super) bound: usize,
    pub(super) peer: &'a Addr,
    pub(super) id: u64,
    /// A hash of all of these.
    pub(super) hash: u64,
}

#[derive(Debug)]
struct Entry {
    bound: usize,
    peer: Addr,
    id: u64,
    hash: u64,
    digest: u64,
    since: Instant,
    progress: Progress,
    /// The name of the reply in chunks. 0 means none.
    name: u32,
    /// Whether the address of its peer was validated when the reply was sent.
    validated: bool,
    reply: Option<Arc<[u8]>>,
}

/// The progress of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It waits for a handler.
    Waiting,
    /// A handler has received it.
    Delivered,
    /// A reply was sent. If it cannot be sent again, it is not kept.
    Answered,
}

/// What the table knows about a request that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing. From now on the request has this number.
    No(u64),
    /// Nothing, and there is no room for it.
    Full,
    /// It has no reply that can be sent again.
    Unanswered,
    /// It has this reply, which has this name in chunks, or 0; and whether its peer was validated.
    Answered(Arc<[u8]>, u32, bool),
}

/// A reply that is not in the reply store yet.
#[derive(Debug)]
pub(super) struct Unwritten {
    pub(super) claim: Arc<dyn Claim>,
    pub(super) reply: Arc<[u8]>,
    /// When its request arrived.
    pub(super) since: Instant,
}

/// The most memory, in bytes, that a request takes besides its reply: an entry of 104 bytes, its places in four
/// B-trees whose nodes are half full, the header of the reply, and the overhead of an allocator.
const OVERHEAD: usize = 256;

const _: () = assert!(size_of::<Entry>() <= 104);

impl Entry {
    fn is_of(&self, request: &Request<'_>) -> bool {
        self.bound == request.bound && self.id == request.id && self.peer == *request.peer
    }

    /// How many bytes it counts.
    fn bytes(&self) -> usize {
        cost(&self.peer) + self.reply.as_ref().map_or(0, |reply| reply.len())
    }

    /// What is known of it when it arrives again.
    fn known(&self) -> Known {
        match &self.reply {
            Some(reply) => Known::Answered(Arc::clone(reply), self.name, self.validated),
            None => Known::Unanswered,
        }
    }
}

/// How many bytes a request of `peer` counts without its reply.
fn cost(peer: &Addr) -> usize {
    let name = peer.as_pathname().map(|path| path.as_os_str().len());
    OVERHEAD + name.or_else(|| peer.as_abstract_name().map(<[u8]>::len)).unwrap_or(0)
}

impl Table {
    pub(super) const fn new(limits: ReplyCache) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            numbers: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            names: BTreeMap::new(),
            claims: BTreeMap::new(),
            next: 0,
            bytes: 0,
            evicted: 0,
            spent: Vec::new(),
        }
    }

    /// Looks up a request whose bytes have this digest. If it is not known, it is known from now on.
    pub(super) fn arrive(&mut self, request: &Request<'_>, digest: u64, now: Instant) -> Known {
        self.expire(now);
        let key = (request.hash, digest);
        let number = self.numbers.get(&key);
        if let Some(entry) = number.and_then(|number| self.entries.get(number))
            && entry.is_of(request)
        {
            return entry.known();
        }
        let cost = cost(request.peer);
        if cost > self.limits.max_bytes {
            self.evicted += 1;
            return Known::Full;
        }
        while self.entries.len() >= self.limits.max_entries
            || self.bytes + cost > self.limits.max_bytes
        {
            self.evict(None);
        }
        let number = self.next;
        self.next += 1;
        let &Request { bound, peer, id, hash } = request;
        let (peer, progress) = (peer.clone(), Progress::Waiting);
        let entry = Entry {
            bound,
            peer,
            id,
            hash,
            digest,
            since: now,
            progress,
            name: 0,
            validated: false,
            reply: None,
        };
        self.entries.insert(number, Box::new(entry));
        self.numbers.insert(key, number);
        self.bytes += cost;
        Known::No(number)
    }

    /// Looks up a request whose bytes have this digest, if it is known.
    pub(super) fn find(
        &mut self,
        request: &Request<'_>,
        digest: u64,
        now: Instant,
    ) -> Option<Known> {
        self.expire(now);
        let number = self.numbers.get(&(request.hash, digest))?;
        let entry = self.entries.get(number).filter(|entry| entry.is_of(request))?;
        Some(entry.known())
    }

    /// Gives the reply to a request a name in chunks. Returns false if the reply is not kept.
    pub(super) fn name(&mut self, number: u64, name: u32) -> bool {
        let entry = self.entries.get_mut(&number);
        let Some(entry) = entry.filter(|entry| entry.reply.is_some()) else { return false };
        entry.name = name;
        self.names.insert((entry.hash, name), number);
        true
    }

    /// The peer of a request that is answered was validated.
    pub(super) fn validate(&mut self, number: u64) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.validated = true;
        }
    }

    /// The reply to a request of this peer with this id that has this name, and whether the peer was validated.
    pub(super) fn named(
        &mut self,
        request: &Request<'_>,
        name: u32,
        now: Instant,
    ) -> Option<(Arc<[u8]>, bool)> {
        self.expire(now);
        let number = self.names.get(&(request.hash, name))?;
        let entry = self.entries.get(number).filter(|entry| entry.is_of(request))?;
        Some((entry.reply.clone()?, entry.validated))
    }

    /// A handler receives a request.
    pub(super) fn deliver(&mut self, number: u64) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.progress = Progress::Delivered;
            self.unanswered.insert((entry.hash, number));
        }
    }

    /// Keeps the claim of a request that a handler receives.
    pub(super) fn claim(&mut self, number: u64, claim: Arc<dyn Claim>) {
        if !self.entries.contains_key(&number) {
            self.spent.push(claim);
            return;
        }
        self.bytes += claim.bytes();
        self.claims.insert(number, claim);
        while self.bytes > self.limits.max_bytes && self.evict(None) {}
    }

    /// A request was dropped before a handler received it.
    pub(super) fn forget(&mut self, number: u64) {
        self.remove(number);
    }

    /// Adds the reply to the newest request of this peer with this id that a handler has received and not answered.
    /// Returns its number.
    pub(super) fn answer(&mut self, request: &Request<'_>, reply: Option<&[u8]>) -> Option<u64> {
        let same = (request.hash, 0)..=(request.hash, u64::MAX);
        let &(hash, number) = self.unanswered.range(same).next_back()?;
        let entry = self.entries.get(&number).filter(|entry| entry.is_of(request))?;
        let cost = cost(&entry.peer);
        let reply = reply.filter(|reply| cost + reply.len() <= self.limits.max_bytes);
        self.keep(number, reply.map(Arc::from))?;
        self.unanswered.remove(&(hash, number));
        Some(number)
    }

    /// Another server has sent this reply to a request that no handler has received here.
    pub(super) fn learn(&mut self, number: u64, reply: &Arc<[u8]>) {
        let Some(entry) = self.entries.get(&number) else { return };
        if cost(&entry.peer) + reply.len() > self.limits.max_bytes {
            // The store knows it.
            self.remove(number);
            return;
        }
        self.keep(number, Some(Arc::clone(reply)));
    }

    /// Makes a request one that is answered. Returns `None` if there is no room for it.
    fn keep(&mut self, number: u64, reply: Option<Arc<[u8]>>) -> Option<()> {
        let len = reply.as_ref().map_or(0, |reply| reply.len());
        while self.bytes + len > self.limits.max_bytes {
            if !self.evict(Some(number)) {
                return None;
            }
        }
        let entry = self.entries.get_mut(&number)?;
        entry.progress = Progress::Answered;
        entry.reply = reply;
        self.bytes += len;
        Some(())
    }

    /// The reply to a request was sent. Returns what is to be written to the reply store.
    pub(super) fn sent(&mut self, number: u64) -> Option<Unwritten> {
        let claim = self.unclaim(number)?;
        let entry = self.entries.get(&number);
        let reply = entry.and_then(|entry| Some((entry.reply.clone()?, entry.since)));
        let Some((reply, since)) = reply else {
            self.spent.push(claim);
            return None;
        };
        Some(Unwritten { claim, reply, since })
    }

    /// The reply to a request was not sent.
    pub(super) fn take_back(&mut self, number: u64) {
        if let Some(entry) = self.entries.get_mut(&number)
            && entry.progress == Progress::Answered
        {
            entry.progress = Progress::Delivered;
            self.bytes -= entry.reply.take().map_or(0, |reply| reply.len());
            let (hash, name) = (entry.hash, mem::take(&mut entry.name));
            self.unanswered.insert((hash, number));
            self.unname(hash, name, number);
        }
    }

    /// Forgets the requests whose time is over.
    fn expire(&mut self, now: Instant) {
        while let Some((&number, oldest)) = self.entries.first_key_value()
            && now.saturating_duration_since(oldest.since) >= self.limits.ttl
        {
            self.remove(number);
        }
    }

    /// Forgets the oldest request, except one. Returns false if there is no other.
    fn evict(&mut self, except: Option<u64>) -> bool {
        let oldest = self.entries.keys().find(|number| Some(**number) != except);
        let Some(&oldest) = oldest else { return false };
        self.remove(oldest);
        self.evicted += 1;
        true
    }

    fn remove(&mut self, number: u64) {
        let Some(entry) = self.entries.remove(&number) else { return };
        self.bytes -= entry.bytes();
        let claim = self.unclaim(number);
        self.spent.extend(claim);
        let key = (entry.hash, entry.digest);
        if self.numbers.get(&key) == Some(&number) {
            self.numbers.remove(&key);
        }
        self.unname(entry.hash, entry.name, number);
        if entry.progress == Progress::Delivered {
            self.unanswered.remove(&(entry.hash, number));
        }
    }

    /// Forgets the name of the reply to a request.
    fn unname(&mut self, hash: u64, name: u32, number: u64) {
        if self.names.get(&(hash, name)) == Some(&number) {
            self.names.remove(&(hash, name));
        }
    }

    fn unclaim(&mut self, number: u64) -> Option<Arc<dyn Claim>> {
        let claim = self.claims.remove(&number)?;
        self.bytes -= claim.bytes();
        Some(claim)
    }
}

#[cfg(test)]
mod tests;
