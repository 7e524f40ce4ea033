//! The datagrams of new peers that wait while a worker is busy. It has no socket, task or clock.

mod order;

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
};

use order::{Order, Place};

use crate::{
    Addr,
    limits::{LiveLimits, Overflow},
    queue_time::{INTERVAL, Stamp, TARGET},
    socket::mailbox::{Body, Waiting, release, release_all, reserve, reserve_all, reserve_anyway},
    stats::{Counters, DropReason},
    transport::{Ancillary, Passed},
};

/// The memory of a peer, in bytes, besides its datagrams. Like a datagram, it counts 160 more.
const PEER: usize = 96;

/// An empty table keeps memory for this many peers.
const KEPT: usize = 256;

/// An empty queue of a peer keeps memory for this many datagrams.
const KEPT_DATAGRAMS: usize = 16;

/// What waits for a worker: the datagrams of peers that are not in conversation. Those of one peer stay in order.
///
/// Peers are served in the order in which they came. When the queue stands, those that came last are served first.
#[derive(Debug)]
pub(super) struct Backlog {
    peers: HashMap<Addr, Place>,
    order: Order<Queue>,
    /// The number of the next datagram.
    next: u64,
    lost: Lost,
    /// Since when, as far as was seen, the oldest datagram has waited for longer than the target.
    above: Option<Stamp>,
    limits: Arc<LiveLimits>,
    counters: Arc<Counters>,
}

/// The datagrams of a peer.
#[derive(Debug)]
struct Queue {
    from: Addr,
    first: Entry,
    rest: VecDeque<Entry>,
    /// The bytes of `rest`.
    bytes: usize,
}

/// A datagram that waits.
#[derive(Debug)]
struct Entry {
    number: u64,
    waiting: Waiting,
    proven: bool,
}

/// A datagram whose turn it is.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) from: Addr,
    pub(super) waiting: Waiting,
    /// Whether it came with a valid address token.
    pub(super) proven: bool,
}

/// Datagrams that were dropped and not counted yet.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// They had waited for too long.
    pub(super) late: u64,
    /// There was no more memory.
    pub(super) freed: u64,
}

impl Backlog {
    pub(super) fn new(limits: Arc<LiveLimits>, counters: Arc<Counters>) -> Self {
        let (peers, order) = (HashMap::new(), Order::default());
        Self { peers, order, next: 0, lost: Lost::default(), above: None, limits, counters }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Whether peers that came last are served first.
    pub(super) fn stands(&self, now: Stamp) -> bool {
        self.above.is_some_and(|above| now.age(above) >= INTERVAL)
    }

    /// What was dropped since the last call. The caller counts it.
    pub(super) const fn take_lost(&mut self) -> Lost {
        mem::replace(&mut self.lost, Lost { late: 0, freed: 0 })
    }

    /// Adds a copy of a datagram. If all memory is taken, peers that have waited for long lose their datagrams. If the queue
    /// stands, the peer itself loses those that have waited for long.
    ///
    /// # Errors
    ///
    /// Returns the reason to drop this datagram, if there is no room.
    pub(super) fn push(
        &mut self,
        from: &Addr,
        ancillary: Ancillary,
        datagram: &[u8],
        mut passed: Option<Box<Passed>>,
        proven: bool,
        now: Stamp,
    ) -> Result<(), DropReason> {
        if self.stands(now) {
            self.peers.get(from).copied().map(|place| self.drop_old(place, now, 0));
        }
        self.make_room(from, datagram.len())?;
        loop {
            match self.add(from, ancillary, datagram, &mut passed, proven) {
                Err(DropReason::MemoryLimit) if self.drop_oldest_peer(from) => {}
                result => return result,
            }
        }
    }

    /// Makes room in the queue of a peer for one more datagram of `len` bytes.
    fn make_room(&mut self, from: &Addr, len: usize) -> Result<(), DropReason> {
        let Self { peers, order, limits, counters, .. } = self;
        let Some(queue) = peers.get(from).and_then(|place| order.get_mut(*place)) else {
            return Ok(());
        };
        let (most, most_bytes) = (limits.max_queue_len(), limits.max_queue_bytes());
        if len > most_bytes {
            // Even an empty queue could not take it, so there is no reason to drop older ones.
            return Err(DropReason::QueueFull);
        }
        while queue.rest.len() >= most || queue.bytes + len > most_bytes {
            if limits.overflow() == Overflow::DropNewest {
                return Err(DropReason::QueueFull);
            }
            let oldest = pop(&mut queue.rest).ok_or(DropReason::QueueFull)?;
            queue.bytes -= oldest.waiting.1.len();
            release_all(&oldest.waiting.1, counters);
            counters.dropped(DropReason::QueueFull, 1);
        }
        Ok(())
    }

    fn add(
        &mut self,
        from: &Addr,
        ancillary: Ancillary,
        datagram: &[u8],
        passed: &mut Option<Box<Passed>>,
        proven: bool,
    ) -> Result<(), DropReason> {
        let place = self.peers.get(from).copied();
        if place.is_none() && !reserve(PEER, &self.limits, &self.counters) {
            return Err(DropReason::MemoryLimit);
        }
        if let Err(reason) = reserve_all(datagram, passed.as_deref(), &self.limits, &self.counters)
        {
            if place.is_none() {
                release(PEER, &self.counters);
            }
            return Err(reason);
        }
        let waiting = (ancillary, Body::new(datagram, passed.take()));
        let entry = Entry { number: self.next, waiting, proven };
        self.next += 1;
        if let Some(queue) = place.and_then(|place| self.order.get_mut(place)) {
            queue.bytes += datagram.len();
            queue.rest.push_back(entry);
        } else {
            let number = entry.number;
            let queue = Queue { from: from.clone(), first: entry, rest: VecDeque::new(), bytes: 0 };
            let place = self.order.add(number, queue, false);
            self.peers.insert(from.clone(), place);
        }
        Ok(())
    }

    /// Drops all datagrams of the peer that has waited longest, unless that is `but`. Returns false if there is no other.
    fn drop_oldest_peer(&mut self, but: &Addr) -> bool {
        let oldest = self.order.oldest();
        let Some((place, _)) = oldest.filter(|(_, queue)| queue.from != *but) else { return false };
        let Some(queue) = self.remove(place) else { return false };
        for entry in [queue.first].into_iter().chain(queue.rest) {
            release_all(&entry.waiting.1, &self.counters);
            self.lost.freed += 1;
        }
        true
    }

    /// The peer has repeated a request that waits, and the repetition is not kept. So its client still waits: the request
    /// counts as one that has just arrived.
    pub(super) fn renew(&mut self, from: &Addr, now: Stamp) {
        let Some(place) = self.peers.get(from).copied() else { return };
        let Some(mut queue) = self.order.remove(place) else { return };
        queue.first.waiting.0.arrived = now;
        queue.first.number = self.next;
        self.next += 1;
        let place = self.order.add(queue.first.number, queue, place.is_served());
        self.peers.insert(from.clone(), place);
    }

    /// Takes the datagram whose turn it is.
    pub(super) fn take(&mut self, now: Stamp) -> Option<Turn> {
        loop {
            let place = if self.stands(now) {
                let newest = self.order.newest()?;
                self.drop_old(newest, now, 1)?
            } else {
                self.order.oldest()?.0
            };
            // The system may have reported that it arrived before others that were read earlier.
            let arrived = self.order.get_mut(place)?.first.waiting.0.arrived;
            if !self.limits.queue_time().is_late(arrived, now) {
                return self.take_first(place, true).map(|(turn, _)| turn);
            }
            self.drop_first(place);
        }
    }

    /// Takes the next datagram of `peer`, if there is one.
    pub(super) fn take_of(&mut self, peer: &Addr) -> Option<Turn> {
        let place = self.peers.get(peer).copied()?;
        self.take_first(place, true).map(|(turn, _)| turn)
    }

    /// Drops the datagrams that have waited too long.
    pub(super) fn expire(&mut self, now: Stamp) {
        while let Some((place, queue)) = self.order.oldest() {
            let arrived = queue.first.waiting.0.arrived;
            if !self.limits.queue_time().is_late(arrived, now) {
                let is_above = now.age(arrived) >= TARGET;
                self.above = is_above.then(|| self.above.unwrap_or(now));
                return;
            }
            self.drop_first(place);
        }
        self.above = None;
    }

    /// Drops the first datagrams of a peer, as long as they are older than the interval and at least `more` others follow.
    /// So if a peer has repeated its request, or sends more than it gets answers for, not all answers to it are late.
    fn drop_old(&mut self, mut place: Place, now: Stamp, more: usize) -> Option<Place> {
        loop {
            let queue = self.order.get_mut(place)?;
            if queue.rest.len() < more || now.age(queue.first.waiting.0.arrived) <= INTERVAL {
                return Some(place);
            }
            place = self.drop_first(place)?;
        }
    }

    /// Drops the first datagram of a peer, which has waited too long. Returns where the others are.
    fn drop_first(&mut self, place: Place) -> Option<Place> {
        let (_, rest) = self.take_first(place, false)?;
        self.lost.late += 1;
        rest
    }

    /// Takes the first datagram of a peer, because it is served or dropped. What the peer has sent after it waits further;
    /// returns where.
    fn take_first(&mut self, place: Place, is_served: bool) -> Option<(Turn, Option<Place>)> {
        let Queue { from, first, mut rest, bytes } = self.remove(place)?;
        let rest = pop(&mut rest).map(|next| {
            let (number, bytes) = (next.number, bytes - next.waiting.1.len());
            reserve_anyway(PEER, &self.counters);
            let queue = Queue { from: from.clone(), first: next, rest, bytes };
            let place = self.order.add(number, queue, is_served || place.is_served());
            self.peers.insert(from.clone(), place);
            place
        });
        release_all(&first.waiting.1, &self.counters);
        Some((Turn { from, waiting: first.waiting, proven: first.proven }, rest))
    }

    /// Drops and counts all datagrams, because serving ends.
    pub(super) fn clear(&mut self) {
        let mut dropped = 0;
        while let Some((place, _)) = self.order.oldest()
            && self.take_first(place, true).is_some()
        {
            dropped += 1;
        }
        self.counters.dropped(DropReason::ShuttingDown, dropped);
    }

    fn remove(&mut self, place: Place) -> Option<Queue> {
        let queue = self.order.remove(place)?;
        self.peers.remove(&queue.from);
        release(PEER, &self.counters);
        if self.peers.is_empty() {
            // An overload must not leave a large table behind.
            self.peers.shrink_to(KEPT);
        }
        Some(queue)
    }
}

/// Takes the oldest datagram out of the queue of a peer, and frees memory when most of its places are empty.
fn pop(queue: &mut VecDeque<Entry>) -> Option<Entry> {
    let next = queue.pop_front()?;
    let (used, room) = (queue.len(), queue.capacity());
    if room > KEPT_DATAGRAMS && 8 * used < 3 * room {
        queue.shrink_to(KEPT_DATAGRAMS.max(room / 2));
    }
    Some(next)
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests;
