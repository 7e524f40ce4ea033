//! The peers of all torrents, in memory.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::packet::{Announce, Counts, Event, InfoHash};

/// How often a peer announces itself, and when it is forgotten if it does not.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15 * 60);
const LIFETIME: Duration = Duration::from_secs(3 * 15 * 60);

/// How often peers are looked for that are to be forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// How many peers a response has at most: with IPv6 they take 900 bytes, so no network cuts it into fragments.
const MAX_WANTED: u32 = 50;

/// The torrents that have peers.
pub(crate) struct Swarms {
    /// By the hash of the torrent, and whether the peers have IPv6 addresses: a peer learns those of its own family only.
    swarms: HashMap<(InfoHash, bool), Swarm>,
    peers: usize,
    max_peers: usize,
    max_peers_of_swarm: usize,
    /// Makes an order of the peers that nobody else knows.
    order: RandomState,
    swept: Instant,
}

#[derive(Default)]
struct Swarm {
    /// By a hash of the address. So peers that follow each other are a random choice.
    peers: BTreeMap<u64, Peer>,
    seeders: usize,
    completed: u32,
}

struct Peer {
    addr: SocketAddr,
    is_seeder: bool,
    seen: Instant,
}

impl Swarms {
    /// Remembers at most so many peers, and so many of each torrent. A torrent is forgotten with its last peer, so there are
    /// not more torrents than peers.
    pub(crate) fn new(max_peers: usize, max_peers_of_swarm: usize, now: Instant) -> Self {
        let (swarms, order) = (HashMap::new(), RandomState::new());
        Self { swarms, peers: 0, max_peers, max_peers_of_swarm, order, swept: now }
    }

    /// Remembers a peer, or forgets it if it stops. Returns the counts of its torrent, and some of the other peers. To repeat
    /// this changes nothing, so the server needs no reply cache.
    pub(crate) fn announce(
        &mut self,
        announce: &Announce,
        ip: IpAddr,
        now: Instant,
    ) -> Result<(Counts, Vec<SocketAddr>), &'static str> {
        if announce.port == 0 {
            return Err("port is 0");
        }
        if now.duration_since(self.swept) >= SWEEP {
            self.sweep(now);
        }
        let key = (announce.info_hash, ip.is_ipv6());
        let mut swarm = self.swarms.remove(&key).unwrap_or_default();
        let addr = SocketAddr::new(ip, announce.port);
        let place = self.order.hash_one(addr);
        let before = swarm.peers.remove(&place);
        self.peers -= usize::from(before.is_some());
        swarm.seeders -= usize::from(before.as_ref().is_some_and(|peer| peer.is_seeder));
        if announce.event == Event::Stopped {
            let counts = swarm.counts();
            self.put_back(key, swarm);
            return Ok((counts, Vec::new()));
        }

        let is_seeder = announce.left == 0;
        // A repeated packet does not count again.
        let was_leecher = before.is_some_and(|peer| !peer.is_seeder);
        let has_completed = announce.event == Event::Completed && is_seeder && was_leecher;
        swarm.completed = swarm.completed.saturating_add(has_completed.into());
        if self.peers < self.max_peers && swarm.peers.len() < self.max_peers_of_swarm {
            swarm.peers.insert(place, Peer { addr, is_seeder, seen: now });
            swarm.seeders += usize::from(is_seeder);
            self.peers += 1;
        } else if swarm.peers.is_empty() {
            return Err("tracker is full");
        } // else it is not told to others, but it learns about them
        let wanted = announce.wanted.min(MAX_WANTED) as usize;
        let others = swarm.others(addr, self.order.hash_one((addr, now)), wanted);
        let counts = swarm.counts();
        self.put_back(key, swarm);
        Ok((counts, others))
    }

    /// The counts of a torrent, among peers with addresses of this family.
    pub(crate) fn scrape(&self, info_hash: InfoHash, ip: IpAddr) -> Counts {
        let swarm = self.swarms.get(&(info_hash, ip.is_ipv6()));
        swarm.map(Swarm::counts).unwrap_or_default()
    }

    fn put_back(&mut self, key: (InfoHash, bool), swarm: Swarm) {
        if !swarm.peers.is_empty() {
            self.swarms.insert(key, swarm);
        }
    }

    /// Forgets the peers that have not announced themselves for some intervals.
    fn sweep(&mut self, now: Instant) {
        self.swept = now;
        self.peers = 0;
        self.swarms.retain(|_, swarm| {
            swarm.peers.retain(|_, peer| now.duration_since(peer.seen) < LIFETIME);
            swarm.seeders = swarm.peers.values().filter(|peer| peer.is_seeder).count();
            self.peers += swarm.peers.len();
            !swarm.peers.is_empty()
        });
    }
}

impl Swarm {
    /// As many peers as are wanted, without the one at `addr`. They follow `start`, and the first peer follows the last one.
    fn others(&self, addr: SocketAddr, start: u64, wanted: usize) -> Vec<SocketAddr> {
        let peers = self.peers.range(start..).chain(self.peers.range(..start));
        peers.map(|(_, peer)| peer.addr).filter(|other| *other != addr).take(wanted).collect()
    }

    fn counts(&self) -> Counts {
        let leechers = self.peers.len() - self.seeders;
        let [seeders, leechers] = [self.seeders, leechers].map(|count| count as u32);
        Counts { seeders, leechers, completed: self.completed }
    }
}
