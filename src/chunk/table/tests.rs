//! Tests of the packets that arrive at a server in chunks.

use std::{collections::HashSet, net::Ipv4Addr, time::Duration};

use super::{super::format::SHORTEST, *};

/// A table under test, at a time of its own.
struct Bench {
    table: Table,
    now: Instant,
}

fn source(peer: u32) -> Source {
    let addr = std::net::SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + peer), 7));
    Source { bound: 0, peer: addr.into() }
}

const fn packet(id: u64) -> PacketId {
    PacketId { id, number: 1 }
}

impl Bench {
    fn new(limits: Chunked) -> Self {
        Self { table: Table::new(limits), now: Instant::now() }
    }

    /// Chunk number `index` of a packet of `last + 1` chunks of 512 bytes arrives.
    fn add(&mut self, peer: u32, id: u64, index: u16, last: u16) -> Stored {
        let chunk =
            Chunk { packet: packet(id), index, last, asks: false, bytes: &[index as u8; SHORTEST] };
        self.table.add(&source(peer), &chunk, self.now)
    }

    fn contains(&mut self, peer: u32, id: u64) -> bool {
        self.table.expire(self.now);
        self.table.contains(&source(peer), packet(id))
    }

    fn check(&self) {
        self.table.check();
    }
}

//
#[test]
fn a_packet_is_complete_when_all_its_chunks_have_arrived() {
    let mut bench = Bench::new(Chunked::with_limit(10_000));

    assert_eq!(bench.add(1, 7, 1, 2), Stored::Waits);
    assert_eq!(bench.add(1, 7, 1, 2), Stored::Repeated);
    assert_eq!(bench.add(1, 7, 2, 2), Stored::Waits);
    assert!(bench.contains(1, 7) && !bench.contains(1, 8) && !bench.contains(2, 7));
    let Stored::Complete(datagram) = bench.add(1, 7, 0, 2) else { panic!() };

    assert_eq!(datagram.len(), 1 + 3 * SHORTEST);
    assert!(!bench.contains(1, 7));
    assert_eq!((bench.table.bytes, bench.table.given_up), (0, 0));
    bench.check();
}

//
#[test]
fn packets_of_other_peers_ids_numbers_and_addresses_are_others() {
    let mut bench = Bench::new(Chunked::with_limit(10_000));
    bench.add(1, 7, 0, 1);

    assert_eq!(bench.add(2, 7, 1, 1), Stored::Waits);
    assert_eq!(bench.add(1, 8, 1, 1), Stored::Waits);
    let bytes = &[0; SHORTEST];
    let other = PacketId { id: 7, number: 2 };
    let chunk = Chunk { packet: other, index: 1, last: 1, asks: false, bytes };
    assert_eq!(bench.table.add(&source(1), &chunk, bench.now), Stored::Waits);
    let elsewhere = Source { bound: 1, ..source(1) };
    let chunk = Chunk { packet: packet(7), ..chunk };
    assert_eq!(bench.table.add(&elsewhere, &chunk, bench.now), Stored::Waits);

    assert!(matches!(bench.add(1, 7, 1, 1), Stored::Complete(_)));
    bench.check();
}

//
#[test]
fn a_packet_is_given_up_when_no_new_chunk_comes_for_too_long() {
    let mut bench = Bench::new(Chunked::with_limit(10_000));
    bench.add(1, 7, 0, 2);
    bench.add(2, 7, 0, 2);
    bench.now += Duration::from_millis(2_999);
    bench.add(2, 7, 1, 2);
    // A repetition is no new chunk.
    bench.add(1, 7, 0, 2);

    bench.now += Duration::from_millis(1);

    assert!(!bench.contains(1, 7) && bench.contains(2, 7));
    assert_eq!(bench.table.given_up, 1);
    bench.check();
}

//
#[test]
fn a_peer_with_too_many_packets_begins_no_other_one() {
    let mut bench = Bench::new(Chunked::with_limit(10_000).max_packets_per_peer(2));
    bench.add(1, 7, 0, 2);
    bench.add(1, 8, 0, 2);

    assert_eq!(bench.add(1, 9, 0, 2), Stored::Refused);

    assert_eq!(bench.add(2, 9, 0, 2), Stored::Waits);
    assert_eq!(bench.add(1, 8, 1, 2), Stored::Waits);
    assert_eq!(bench.table.given_up, 0);
    bench.check();
}

//
#[test]
fn the_packet_with_the_fewest_chunks_gives_way_and_the_oldest_of_them() {
    let mut bench = Bench::new(Chunked::with_limit(10_000).max_packets(3));
    bench.add(1, 7, 0, 2);
    bench.add(1, 7, 1, 2);
    bench.add(2, 7, 0, 2);
    bench.add(3, 7, 0, 2);

    (4..1_000).for_each(|peer| assert_eq!(bench.add(peer, 7, 0, 2), Stored::Waits));

    assert!(bench.contains(1, 7) && bench.contains(998, 7) && bench.contains(999, 7));
    assert_eq!(bench.table.given_up, 996);
    bench.check();
}

//
#[test]
fn bytes_are_limited_for_each_peer_and_for_all() {
    let most = 2 * (PACKET + CHUNK + SHORTEST);
    let mut bench = Bench::new(Chunked::with_limit(10_000).max_bytes_per_peer(most));
    bench.add(1, 7, 0, 9);
    bench.add(1, 8, 0, 9);
    // The other packet of this peer gives way, then nothing is left that could.
    assert_eq!(bench.add(1, 8, 1, 9), Stored::Waits);
    assert!(!bench.contains(1, 7));
    assert_eq!(bench.add(1, 8, 2, 9), Stored::Refused);
    bench.check();

    let mut bench = Bench::new(Chunked::with_limit(10_000).max_bytes(most));
    bench.add(1, 7, 0, 9);
    bench.add(2, 7, 0, 9);
    assert_eq!(bench.add(3, 7, 0, 9), Stored::Waits);
    assert!(!bench.contains(1, 7) && bench.contains(2, 7));
    bench.check();
}

//
#[test]
fn a_chunk_that_is_not_stored_costs_no_other_packet() {
    let mut bench = Bench::new(Chunked::with_limit(2 * SHORTEST).max_packets(1));
    bench.add(1, 7, 0, 1);

    // Repeated, too long, and contradictory.
    assert_eq!(bench.add(1, 7, 0, 1), Stored::Repeated);
    assert_eq!(bench.add(2, 7, 0, 2), Stored::Refused);
    assert_eq!(bench.add(1, 7, 0, 2), Stored::Refused);

    assert!(bench.contains(1, 7));
    assert_eq!(bench.table.given_up, 0);
    bench.check();
}

//
#[test]
fn a_limit_without_room_for_one_packet_takes_none() {
    let mut bench = Bench::new(Chunked::with_limit(10_000).max_bytes(PACKET));

    assert_eq!(bench.add(1, 7, 0, 1), Stored::Refused);

    assert_eq!((bench.table.packets.len(), bench.table.bytes), (0, 0));
    bench.check();
}

//
#[test]
fn a_hundred_thousand_sources_of_first_chunks_take_no_more_than_the_limits_and_end_no_packet_in_progress()
 {
    let mut bench = Bench::new(Chunked::with_limit(100_000));
    for peer in 0..100_000 {
        // A packet of 100 chunks arrives meanwhile, as slowly as its time allows.
        if peer % 1_000 < 2 {
            bench.now += Duration::from_millis(1_400);
            let index = 2 * (peer / 1_000) + peer % 1_000;
            match bench.add(u32::MAX >> 8, 1, (index % 100) as u16, 99) {
                Stored::Complete(_) => assert_eq!(index % 100, 99),
                stored => assert_eq!(stored, Stored::Waits),
            }
        }
        assert_eq!(bench.add(peer, 7, 0, 99), Stored::Waits);
    }
    bench.check();
    assert!(bench.table.packets.len() <= 1_024);
}

/// Compares the table with a list of packets, over random operations.
//
#[test]
fn it_does_the_same_as_a_simple_list() {
    struct Simple {
        key: (u32, u64),
        last: u16,
        chunks: HashSet<u16>,
        since: Instant,
    }
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % limit
    };
    let (per_peer, all) = (5_000, 8_000);
    let limits = Chunked::with_limit(10_000)
        .max_packets(6)
        .max_packets_per_peer(3)
        .max_bytes_per_peer(per_peer)
        .max_bytes(all);
    let timeout = limits.get_timeout();
    let cost = |one: &Simple| PACKET + one.chunks.len() * (CHUNK + SHORTEST);
    let mut bench = Bench::new(limits);
    // In the order in which they began.
    let mut list: Vec<Simple> = Vec::new();
    let mut complete = 0;
    for _ in 0..200_000 {
        bench.now += Duration::from_millis(below(300));
        let key @ (peer, id) = (below(3) as u32, below(4));
        // Mostly the same length, so that packets become complete.
        let last = if below(20) == 0 { 3 } else { 2 };
        let index = below(u64::from(last) + 1) as u16;
        list.retain(|one| bench.now - one.since < timeout);
        let stored = bench.add(peer, id, index, last);
        let expected = 'expected: {
            let known = list.iter().find(|one| one.key == key);
            if known.is_some_and(|one| one.last != last) {
                break 'expected Stored::Refused;
            }
            if known.is_some_and(|one| one.chunks.contains(&index)) {
                break 'expected Stored::Repeated;
            }
            let is_new = known.is_none();
            if is_new && list.iter().filter(|one| one.key.0 == peer).count() >= 3 {
                break 'expected Stored::Refused;
            }
            let more = CHUNK + SHORTEST + if is_new { PACKET } else { 0 };
            let give_way = |list: &mut Vec<Simple>, of: Option<u32>, most: usize| loop {
                let is_of = |one: &&Simple| of.is_none_or(|peer| one.key.0 == peer);
                if list.iter().filter(is_of).map(cost).sum::<usize>() + more <= most {
                    return true;
                }
                let own = list.iter().find(|one| one.key == key).map_or(0, |one| one.chunks.len());
                let others =
                    list.iter().enumerate().filter(|(_, one)| is_of(one) && one.key != key);
                // Of the same peer, none of which more has arrived.
                let others = others.filter(|(_, one)| of.is_none() || one.chunks.len() <= own);
                let weakest = others.min_by_key(|(at, one)| (one.chunks.len(), *at));
                let Some((weakest, _)) = weakest else { return false };
                list.remove(weakest);
            };
            if !give_way(&mut list, Some(peer), per_peer) || !give_way(&mut list, None, all) {
                break 'expected Stored::Refused;
            }
            if is_new {
                while list.len() >= 6 {
                    let weakest = (0..list.len()).min_by_key(|at| (list[*at].chunks.len(), *at));
                    list.remove(weakest.unwrap());
                }
                list.push(Simple { key, last, chunks: HashSet::new(), since: bench.now });
            }
            let at = list.iter().position(|one| one.key == key).unwrap();
            list[at].chunks.insert(index);
            list[at].since = bench.now;
            if list[at].chunks.len() <= usize::from(last) {
                break 'expected Stored::Waits;
            }
            complete += 1;
            list.remove(at);
            let parts = (0..=last).flat_map(|index| [index as u8; SHORTEST]);
            Stored::Complete([0].into_iter().chain(parts).collect())
        };
        assert!(stored == expected, "{stored:?} instead of {expected:?}");
        bench.check();
    }
    assert!(complete > 1_000, "{complete}");
}

// uploads of one client do not push each other out
#[test]
fn a_new_packet_of_a_peer_ends_none_of_which_more_has_arrived() {
    let most = 2 * (PACKET + 2 * (CHUNK + SHORTEST));
    let mut bench = Bench::new(Chunked::with_limit(10_000).max_bytes_per_peer(most));
    for (id, index) in [(7, 0), (8, 0), (7, 1), (8, 1)] {
        assert_eq!(bench.add(1, id, index, 9), Stored::Waits);
    }

    assert_eq!(bench.add(1, 9, 0, 9), Stored::Refused);

    assert!(bench.contains(1, 7) && bench.contains(1, 8));
    assert_eq!(bench.table.given_up, 0);
    // One of them goes on all the same.
    assert_eq!(bench.add(1, 7, 2, 9), Stored::Waits);
    assert!(bench.contains(1, 7) && !bench.contains(1, 8));
    bench.check();
}
