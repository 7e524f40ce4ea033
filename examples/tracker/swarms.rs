//! The peers of all torrents, in memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    mem,
    net::IpAddr,
    time::{Duration, Instant},
};

use indexmap::IndexMap;

use super::packet::{Announce, Counts, Event, InfoHash};

/// How often a peer announces itself, and when it is forgotten if it does not.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15 * 60);
const LIFETIME: u32 = 3 * 15 * 60;

/// How often peers are looked for that are to be forgotten, in seconds.
const SWEEP: u32 = 60;

/// How many peers a response has at most: with IPv6 they take 900 bytes, so no network cuts it into fragments.
const MAX_WANTED: u32 = 50;

/// The torrents that have peers. A peer learns those of its own address family only.
pub(crate) struct Swarms {
    ipv4: HashMap<InfoHash, Swarm<6>>,
    ipv6: HashMap<InfoHash, Swarm<18>>,
    room: Room,
    start: Instant,
    /// When peers were forgotten last, in seconds since the start.
    swept: u32,
}

struct Room {
    peers: usize,
    max_peers: usize,
    max_peers_of_swarm: usize,
}

/// The peers of a torrent, by address and port as they are in responses. They are in a random order.
#[derive(Default)]
struct Swarm<const LEN: usize> {
    peers: IndexMap<[u8; LEN], Peer>,
    seeders: u32,
    completed: u32,
}

struct Peer {
    is_seeder: bool,
    seen: u32,
}

impl Swarms {
    /// Remembers at most so many peers, and so many of each torrent. A torrent is forgotten with its last peer, so there are
    /// not more torrents than peers.
    pub(crate) fn new(max_peers: usize, max_peers_of_swarm: usize, now: Instant) -> Self {
        let (ipv4, ipv6) = Default::default();
        let room = Room { peers: 0, max_peers, max_peers_of_swarm };
        Self { ipv4, ipv6, room, start: now, swept: 0 }
    }

    /// Remembers a peer, or forgets it if it stops. Returns the counts of its torrent, and the addresses of some other peers. To
    /// repeat this changes nothing, so the server needs no reply cache.
    pub(crate) fn announce(
        &mut self,
        announce: &Announce,
        ip: IpAddr,
        now: Instant,
    ) -> Result<(Counts, Vec<u8>), &'static str> {
        if announce.port == 0 {
            return Err("port is 0");
        }
        let now = now.duration_since(self.start).as_secs() as u32;
        if now - self.swept >= SWEEP {
            self.swept = now;
            self.room.peers = sweep(&mut self.ipv4, now) + sweep(&mut self.ipv6, now);
        }
        let port = announce.port.to_be_bytes();
        match ip {
            IpAddr::V4(ip) => self.room.announce(&mut self.ipv4, ip.octets(), port, announce, now),
            IpAddr::V6(ip) => self.room.announce(&mut self.ipv6, ip.octets(), port, announce, now),
        }
    }

    /// The counts of a torrent, among peers with addresses of this family.
    pub(crate) fn scrape(&self, info_hash: InfoHash, ip: IpAddr) -> Counts {
        let counts = match ip {
            IpAddr::V4(_) => self.ipv4.get(&info_hash).map(Swarm::counts),
            IpAddr::V6(_) => self.ipv6.get(&info_hash).map(Swarm::counts),
        };
        counts.unwrap_or_default()
    }
}

impl Room {
    fn announce<const LEN: usize, const IP: usize>(
        &mut self,
        swarms: &mut HashMap<InfoHash, Swarm<LEN>>,
        ip: [u8; IP],
        port: [u8; 2],
        announce: &Announce,
        now: u32,
    ) -> Result<(Counts, Vec<u8>), &'static str> {
        let mut addr = [0; LEN];
        addr[..IP].copy_from_slice(&ip);
        addr[IP..].copy_from_slice(&port);
        let mut entry = match swarms.entry(announce.info_hash) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => entry.insert_entry(Swarm::default()),
        };
        let swarm = entry.get_mut();
        let (is_seeder, stops) = (announce.left == 0, announce.event == Event::Stopped);
        let peer = Peer { is_seeder, seen: now };
        let is_full = self.peers >= self.max_peers || swarm.peers.len() >= self.max_peers_of_swarm;
        let before = match is_full {
            _ if stops => swarm.peers.swap_remove(&addr),
            // A new peer is not told to others, but it learns about them.
            true => swarm.peers.get_mut(&addr).map(|before| mem::replace(before, peer)),
            false => swarm.insert(addr, peer),
        };
        let is_stored = !stops && (!is_full || before.is_some());
        self.peers += usize::from(is_stored);
        self.peers -= usize::from(before.is_some());
        swarm.seeders += u32::from(is_stored && is_seeder);
        swarm.seeders -= u32::from(before.as_ref().is_some_and(|peer| peer.is_seeder));
        // A repeated packet does not count again.
        let was_leecher = before.is_some_and(|peer| !peer.is_seeder);
        let has_completed = announce.event == Event::Completed && is_seeder && was_leecher;
        swarm.completed = swarm.completed.saturating_add(has_completed.into());
        let wanted = if stops { 0 } else { announce.wanted.min(MAX_WANTED) as usize };
        let (counts, others) = (swarm.counts(), swarm.others(addr, wanted));
        if swarm.peers.is_empty() {
            entry.remove();
            if !stops {
                return Err("tracker is full");
            }
        }
        Ok((counts, others))
    }
}

impl<const LEN: usize> Swarm<LEN> {
    /// Remembers a peer, at a random place if it is new. Returns what was known about it.
    fn insert(&mut self, addr: [u8; LEN], peer: Peer) -> Option<Peer> {
        let (place, before) = self.peers.insert_full(addr, peer);
        if before.is_none() {
            self.peers.swap_indices(place, fastrand::usize(..=place));
        }
        before
    }

    /// The addresses of as many peers as are wanted, without `addr`. They follow each other from a random place on, and the
    /// first peer follows the last one. Since the order is random, they are a random choice.
    fn others(&self, addr: [u8; LEN], wanted: usize) -> Vec<u8> {
        let peers = self.peers.as_slice();
        let (end, start) = peers.split_at(fastrand::usize(..=peers.len()));
        let mut others = Vec::with_capacity(wanted.min(peers.len()) * LEN);
        let all = start.keys().chain(end.keys());
        all.filter(|other| **other != addr).take(wanted).for_each(|it| others.extend(it));
        others
    }

    fn counts(&self) -> Counts {
        let leechers = self.peers.len() as u32 - self.seeders;
        Counts { seeders: self.seeders, leechers, completed: self.completed }
    }
}

/// Forgets the peers that have not announced themselves for some intervals. Returns how many remain.
fn sweep<const LEN: usize>(swarms: &mut HashMap<InfoHash, Swarm<LEN>>, now: u32) -> usize {
    swarms.retain(|_, swarm| {
        swarm.peers.retain(|_, peer| now - peer.seen < LIFETIME);
        swarm.seeders = swarm.peers.values().filter(|peer| peer.is_seeder).count() as u32;
        !swarm.peers.is_empty()
    });
    swarms.values().map(|swarm| swarm.peers.len()).sum()
}
