//! The packets that arrive at a server in chunks. It has no lock and no clock, so its tests need none.

#[cfg(any(test, fuzzing))]
mod check;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::time::Instant;

use super::{
    Chunked,
    assembly::{Assembly, Verdict},
    format::{Chunk, PacketId},
};
use crate::{Addr, timing::after};

/// The packets of all peers whose chunks have not all arrived.
#[derive(Debug)]
pub(crate) struct Table {
    limits: Chunked,
    packets: BTreeMap<u64, Box<Entry>>,
    /// What each peer has here.
    peers: HashMap<Source, Usage>,
    /// The time of the last new chunk, and the number of the packet.
    ages: BTreeSet<(Instant, u64)>,
    /// How many chunks have arrived, and the number of the packet. When there is no room, the packet with the fewest
    /// chunks goes first, and the oldest of them: a flood of first chunks from many sources then does not end the
    /// packets of which more has arrived.
    progress: BTreeSet<(usize, u64)>,
    next: u64,
    bytes: usize,
    /// How many packets were given up. The caller counts and resets it.
    pub(crate) given_up: u64,
}

/// A peer, and the number of the address that it sends to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    pub(crate) bound: usize,
    pub(crate) peer: Addr,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    assembly: Assembly,
    since: Instant,
}

#[derive(Debug, Default)]
struct Usage {
    /// At most as many as a peer may have.
    packets: Vec<(PacketId, u64)>,
    bytes: usize,
}

/// What became of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It waits for the others.
    Waits,
    /// It was there already.
    Repeated,
    /// It contradicts the others, the packet would be too long, or there is no room for it.
    Refused,
    /// The packet is complete: this is its datagram.
    Complete(Vec<u8>),
}

/// The most memory, in bytes, that a packet and a chunk take besides the bytes of the chunks: their places in tables that
/// are half full, and the overhead of an allocator.
const PACKET: usize = 512;
const CHUNK: usize = 96;

impl Entry {
    fn cost(&self) -> usize {
        PACKET + self.assembly.bytes() + CHUNK * self.assembly.chunks()
    }
}

impl Table {
    pub(crate) fn new(limits: Chunked) -> Self {
        Self {
            limits,
            packets: BTreeMap::new(),
            peers: HashMap::new(),
            ages: BTreeSet::new(),
            progress: BTreeSet::new(),
            next: 0,
            bytes: 0,
            given_up: 0,
        }
    }

    /// Whether chunks of this packet have arrived.
    pub(crate) fn contains(&self, source: &Source, packet: PacketId) -> bool {
        self.number(source, packet).is_some()
    }

    /// Adds a chunk.
    pub(crate) fn add(&mut self, source: &Source, chunk: &Chunk<'_>, now: Instant) -> Stored {
        self.expire(now);
        let known = self.number(source, chunk.packet);
        // Judged first, so that no other packet is given up for a chunk that is not stored.
        match self.judge(known, chunk) {
            Verdict::New => {}
            Verdict::Repeated => return Stored::Repeated,
            Verdict::Refused => return Stored::Refused,
        }
        let cost = CHUNK + chunk.bytes.len() + if known.is_none() { PACKET } else { 0 };
        let has_room =
            (known.is_some() || self.has_place(source)) && self.make_room(source, known, cost);
        if !has_room {
            return Stored::Refused;
        }
        let number = known.unwrap_or_else(|| self.begin(source, chunk, now));
        self.insert(number, chunk, now)
    }

    fn judge(&self, known: Option<u64>, chunk: &Chunk<'_>) -> Verdict {
        let limit = self.limits.get_limit();
        let entry = known.and_then(|number| self.packets.get(&number));
        entry.map_or_else(
            || Assembly::new(chunk.last).judge(chunk, limit),
            |entry| entry.assembly.judge(chunk, limit),
        )
    }

    fn insert(&mut self, number: u64, chunk: &Chunk<'_>, now: Instant) -> Stored {
        let Some(entry) = self.packets.get_mut(&number) else { return Stored::Refused };
        self.progress.remove(&(entry.assembly.chunks(), number));
        self.ages.remove(&(entry.since, number));
        entry.assembly.insert(chunk);
        entry.since = now;
        self.progress.insert((entry.assembly.chunks(), number));
        self.ages.insert((now, number));
        let cost = CHUNK + chunk.bytes.len();
        self.bytes += cost;
        if let Some(usage) = self.peers.get_mut(&entry.source) {
            usage.bytes += cost;
        }
        if !entry.assembly.is_complete() {
            return Stored::Waits;
        }
        let complete = self.remove(number).map(Assembly::into_datagram);
        complete.map_or(Stored::Refused, Stored::Complete)
    }

    /// The chunks of a packet that have arrived, if there are some.
    pub(crate) fn assembly(&self, source: &Source, packet: PacketId) -> Option<&Assembly> {
        let number = self.number(source, packet)?;
        self.packets.get(&number).map(|entry| &entry.assembly)
    }

    /// How many chunks of a packet have arrived.
    fn chunks(&self, number: u64) -> usize {
        self.packets.get(&number).map_or(0, |entry| entry.assembly.chunks())
    }

    fn number(&self, source: &Source, packet: PacketId) -> Option<u64> {
        let packets = &self.peers.get(source)?.packets;
        packets.iter().find(|(known, _)| *known == packet).map(|(_, number)| *number)
    }

    /// Whether this peer may begin another packet.
    fn has_place(&self, source: &Source) -> bool {
        self.peers
            .get(source)
            .is_none_or(|usage| usage.packets.len() < self.limits.max_packets_per_peer)
    }

    /// Begins a packet without chunks.
    fn begin(&mut self, source: &Source, chunk: &Chunk<'_>, now: Instant) -> u64 {
        while self.packets.len() >= self.limits.max_packets {
            self.give_up_weakest(None);
        }
        let number = self.next;
        self.next += 1;
        let (source, id, assembly) = (source.clone(), chunk.packet, Assembly::new(chunk.last));
        let usage = self.peers.entry(source.clone()).or_default();
        usage.packets.push((id, number));
        usage.bytes += PACKET;
        self.bytes += PACKET;
        self.ages.insert((now, number));
        self.progress.insert((0, number));
        self.packets.insert(number, Box::new(Entry { source, assembly, since: now }));
        number
    }

    /// Makes room for a chunk of packet `number`, or of a new one. Returns false if no other packet could be given up.
    fn make_room(&mut self, source: &Source, number: Option<u64>, cost: usize) -> bool {
        let own = number.map_or(0, |number| self.chunks(number));
        loop {
            let usage = self.peers.get(source);
            let used = usage.map_or(0, |usage| usage.bytes);
            if used + cost <= self.limits.get_max_bytes_per_peer() {
                break;
            }
            let others = usage.into_iter().flat_map(|usage| &usage.packets);
            let others = others.map(|(_, other)| *other).filter(|other| Some(*other) != number);
            let weakest = others.min_by_key(|other| (self.chunks(*other), *other));
            // Of one peer, the packet with the fewest chunks waits, also if it is the new one.
            match weakest.filter(|other| self.chunks(*other) <= own) {
                Some(weakest) => self.give_up(weakest),
                None => return false,
            }
        }
        while self.bytes + cost > self.limits.get_max_bytes() {
            if !self.give_up_weakest(number) {
                return false;
            }
        }
        true
    }

    /// Gives up the packet with the fewest chunks, except one. Returns false if there is no other.
    fn give_up_weakest(&mut self, except: Option<u64>) -> bool {
        let weakest = self.progress.iter().find(|(_, number)| Some(*number) != except);
        let Some(&(_, weakest)) = weakest else { return false };
        self.give_up(weakest);
        true
    }

    /// When the next packet is given up, if no new chunk of it arrives.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let (since, _) = self.ages.first()?;
        Some(after(*since, self.limits.timeout))
    }

    /// Gives up the packets of which no new chunk has arrived for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(&(since, number)) = self.ages.first()
            && now.saturating_duration_since(since) >= self.limits.timeout
        {
            self.give_up(number);
        }
    }

    fn give_up(&mut self, number: u64) {
        if self.remove(number).is_some() {
            self.given_up += 1;
        }
    }

    fn remove(&mut self, number: u64) -> Option<Assembly> {
        let entry = self.packets.remove(&number)?;
        let cost = entry.cost();
        self.bytes -= cost;
        self.ages.remove(&(entry.since, number));
        self.progress.remove(&(entry.assembly.chunks(), number));
        if let Some(usage) = self.peers.get_mut(&entry.source) {
            usage.bytes -= cost;
            usage.packets.retain(|(_, other)| *other != number);
            if usage.packets.is_empty() {
                self.peers.remove(&entry.source);
            }
        }
        Some(entry.assembly)
    }
}

#[cfg(test)]
mod tests;
