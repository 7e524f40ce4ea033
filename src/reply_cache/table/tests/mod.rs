//! Tests of the table of requests and replies.

mod claims;

use std::{net::Ipv4Addr, time::Duration};

use super::*;

/// A table under test, at a time of its own.
struct Bench {
    table: Table,
    now: Instant,
}

impl Bench {
    fn new(limits: ReplyCache) -> Self {
        Self { table: Table::new(limits), now: Instant::now() }
    }

    fn arrive(&mut self, peer: u32, id: u64, digest: u64) -> Known {
        self.table.arrive(&request(&addr(peer), id), digest, self.now)
    }

    /// A new request arrives; returns its number.
    fn new_request(&mut self, peer: u32, id: u64, digest: u64) -> u64 {
        match self.arrive(peer, id, digest) {
            Known::No(number) => number,
            known => panic!("{known:?}"),
        }
    }

    fn deliver(&mut self, peer: u32, id: u64, digest: u64) -> u64 {
        let number = self.new_request(peer, id, digest);
        self.table.deliver(number);
        number
    }

    fn answer(&mut self, peer: u32, id: u64, reply: &[u8]) -> Option<u64> {
        self.table.answer(&request(&addr(peer), id), Some(reply))
    }

    fn is_empty(&self) -> bool {
        let Table { entries, numbers, unanswered, claims, bytes, .. } = &self.table;
        let maps = entries.is_empty() && numbers.is_empty() && unanswered.is_empty();
        maps && claims.is_empty() && *bytes == 0
    }
}

fn addr(peer: u32) -> Addr {
    std::net::SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + peer), 7)).into()
}

fn request(peer: &Addr, id: u64) -> Request<'_> {
    let ip = peer.ip().unwrap();
    let std::net::IpAddr::V4(ip) = ip else { panic!("{ip}") };
    Request { bound: 0, peer, id, hash: u64::from(u32::from(ip)) << 32 | id }
}

fn answered(reply: &[u8]) -> Known {
    Known::Answered(reply.into(), 0, false)
}

//
#[test]
fn a_request_is_new_once_and_has_no_reply_until_it_is_answered() {
    let mut bench = Bench::new(ReplyCache::default());
    let number = bench.new_request(1, 7, 70);

    assert_eq!(bench.arrive(1, 7, 70), Known::Unanswered);
    assert_eq!(bench.answer(1, 7, b"too early"), None);
    bench.table.deliver(number);
    assert_eq!(bench.arrive(1, 7, 70), Known::Unanswered);
    assert_eq!(bench.answer(1, 7, b"first"), Some(number));

    assert_eq!(bench.answer(1, 7, b"second"), None);
    assert_eq!(bench.arrive(1, 7, 70), answered(b"first"));
}

//
#[test]
fn another_peer_id_digest_or_bound_address_makes_another_request() {
    let mut bench = Bench::new(ReplyCache::default());
    bench.new_request(1, 7, 70);

    bench.new_request(2, 7, 70);
    bench.new_request(1, 8, 70);
    bench.new_request(1, 7, 71);
    let peer = addr(1);
    let elsewhere = Request { bound: 1, ..request(&peer, 7) };
    // The hash is the same here, as if it collided.
    assert!(matches!(bench.table.arrive(&elsewhere, 70, bench.now), Known::No(_)));
}

//
#[test]
fn a_request_that_is_dropped_before_its_delivery_is_new_again() {
    let mut bench = Bench::new(ReplyCache::default());
    let number = bench.new_request(1, 7, 70);

    bench.table.forget(number);

    assert!(bench.is_empty());
    assert_ne!(bench.new_request(1, 7, 70), number);
    // A late report about the first one changes nothing.
    bench.table.forget(number);
    bench.table.deliver(number);
    bench.table.take_back(number);
    assert_eq!(bench.arrive(1, 7, 70), Known::Unanswered);
}

//
#[test]
fn a_reply_belongs_to_the_newest_delivered_request_without_one() {
    let mut bench = Bench::new(ReplyCache::default());
    let oldest = bench.deliver(1, 7, 70);
    let newer = bench.deliver(1, 7, 71);
    bench.new_request(1, 7, 72);

    assert_eq!(bench.answer(1, 7, b"a"), Some(newer));
    assert_eq!(bench.answer(1, 7, b"b"), Some(oldest));
    assert_eq!(bench.answer(1, 7, b"c"), None);

    assert_eq!(bench.arrive(1, 7, 70), answered(b"b"));
    assert_eq!(bench.arrive(1, 7, 71), answered(b"a"));
    assert_eq!(bench.arrive(1, 7, 72), Known::Unanswered);
}

//
#[test]
fn a_reply_that_was_not_sent_is_taken_back_and_the_next_one_counts() {
    let mut bench = Bench::new(ReplyCache::default());
    let number = bench.deliver(1, 7, 70);
    bench.answer(1, 7, b"too long");

    bench.table.take_back(number);
    bench.table.take_back(number);

    assert_eq!(bench.arrive(1, 7, 70), Known::Unanswered);
    assert_eq!(bench.answer(1, 7, b"short"), Some(number));
    assert_eq!(bench.arrive(1, 7, 70), answered(b"short"));
    assert_eq!(bench.table.bytes, OVERHEAD + 5);
}

//
#[test]
fn a_reply_without_bytes_is_the_first_one_too_and_is_not_repeated() {
    let mut bench = Bench::new(ReplyCache::default());
    let number = bench.deliver(1, 7, 70);

    assert_eq!(bench.table.answer(&request(&addr(1), 7), None), Some(number));

    assert_eq!(bench.answer(1, 7, b"later"), None);
    assert_eq!(bench.arrive(1, 7, 70), Known::Unanswered);
}

//
#[test]
fn a_reply_is_found_by_its_name_and_each_one_has_another() {
    let mut bench = Bench::new(ReplyCache::default());
    let number = bench.deliver(1, 7, 70);
    bench.answer(1, 7, b"first");
    assert!(bench.table.name(number, 5));
    let named = |bench: &mut Bench, peer, name| {
        bench
            .table
            .named(&request(&addr(peer), 7), name, bench.now)
            .map(|(reply, _)| reply.to_vec())
    };
    assert_eq!(named(&mut bench, 1, 5), Some(b"first".to_vec()));
    assert_eq!((named(&mut bench, 1, 6), named(&mut bench, 2, 5)), (None, None));
    assert_eq!(bench.arrive(1, 7, 70), Known::Answered(b"first"[..].into(), 5, false));

    // It was not sent as a whole, and another one follows.
    bench.table.take_back(number);
    assert_eq!(named(&mut bench, 1, 5), None);
    bench.answer(1, 7, b"second");
    assert!(bench.table.name(number, 6));
    assert_eq!(
        (named(&mut bench, 1, 5), named(&mut bench, 1, 6)),
        (None, Some(b"second".to_vec()))
    );

    bench.now += Duration::from_secs(30);
    assert_eq!(named(&mut bench, 1, 6), None);
    assert!(bench.table.names.is_empty());
}

//
#[test]
fn a_reply_that_is_not_kept_gets_no_name() {
    let mut bench = Bench::new(ReplyCache::default().max_bytes(2 * OVERHEAD));
    let number = bench.deliver(1, 7, 70);
    bench.answer(1, 7, &[0; OVERHEAD + 1]).unwrap();

    assert!(!bench.table.name(number, 5) && bench.table.names.is_empty());
}

//
#[test]
fn a_request_is_forgotten_when_its_time_is_over() {
    let mut bench = Bench::new(ReplyCache::default().ttl(Duration::from_secs(30)));
    let number = bench.deliver(1, 7, 70);
    bench.answer(1, 7, b"reply");
    bench.now += Duration::from_millis(29_999);
    assert_eq!(bench.arrive(1, 7, 70), answered(b"reply"));

    bench.now += Duration::from_millis(1);

    assert_ne!(bench.new_request(1, 7, 70), number);
    assert_eq!((bench.table.entries.len(), bench.table.bytes), (1, OVERHEAD));
    assert_eq!(bench.table.evicted, 0);
}

//
#[test]
fn the_oldest_request_goes_when_there_are_too_many() {
    let mut bench = Bench::new(ReplyCache::default().max_entries(2));
    (1..=3).for_each(|peer| {
        bench.new_request(peer, 7, 70);
    });

    assert_eq!(bench.table.evicted, 1);
    assert_eq!(bench.arrive(2, 7, 70), Known::Unanswered);
    assert_eq!(bench.arrive(3, 7, 70), Known::Unanswered);
    bench.new_request(1, 7, 70);
    // Being repeated does not make a request younger.
    bench.new_request(2, 7, 70);
    assert_eq!(bench.table.evicted, 3);
}

//
#[test]
fn the_oldest_requests_go_when_replies_need_their_bytes() {
    let mut bench = Bench::new(ReplyCache::default().max_bytes(3 * OVERHEAD + 10));
    (1..=3).for_each(|peer| {
        bench.deliver(peer, 7, 70);
    });

    bench.answer(3, 7, &[0; 10]).unwrap();
    assert_eq!(bench.table.evicted, 0);
    bench.answer(2, 7, &[0]).unwrap();
    assert_eq!((bench.table.evicted, bench.table.bytes), (1, 2 * OVERHEAD + 11));

    // The oldest one is the one to be answered.
    bench.deliver(4, 7, 70);
    assert_eq!(bench.table.evicted, 2);
    assert_eq!(bench.answer(4, 7, &[0; 2 * OVERHEAD]), Some(3));
    assert_eq!((bench.table.evicted, bench.table.entries.len()), (3, 1));
}

//
#[test]
fn a_reply_longer_than_the_limit_is_not_kept_and_costs_no_other_request() {
    let mut bench = Bench::new(ReplyCache::default().max_bytes(3 * OVERHEAD));
    bench.deliver(1, 7, 70);
    bench.deliver(2, 7, 70);

    assert!(bench.answer(2, 7, &[0; 2 * OVERHEAD + 1]).is_some());

    assert_eq!(bench.arrive(1, 7, 70), Known::Unanswered);
    assert_eq!(bench.arrive(2, 7, 70), Known::Unanswered);
    assert_eq!((bench.table.evicted, bench.table.bytes), (0, 2 * OVERHEAD));
}

//
#[test]
fn a_table_without_room_for_one_request_knows_none() {
    let mut bench = Bench::new(ReplyCache::default().max_bytes(OVERHEAD - 1));

    assert_eq!(bench.arrive(1, 7, 70), Known::Full);
    assert_eq!(bench.arrive(1, 7, 70), Known::Full);
    assert!(bench.is_empty());
}

#[cfg(target_os = "linux")]
//
#[test]
fn the_name_of_a_unix_socket_counts() {
    use std::os::unix::net::SocketAddr;

    let mut table = Table::new(ReplyCache::default());
    for (path, hash) in [("/run/a.sock", 1), ("/run/a.socket", 2)] {
        let peer = SocketAddr::from_pathname(path).unwrap().into();
        table.arrive(&Request { bound: 0, peer: &peer, id: 0, hash }, 0, Instant::now());
    }

    assert_eq!(table.bytes, 2 * OVERHEAD + 11 + 13);
}

//
#[test]
fn a_million_sources_take_no_more_memory_than_the_limits_allow() {
    let limits = ReplyCache::default();
    let (entries, bytes) = (limits.get_max_entries(), limits.get_max_bytes());
    let mut bench = Bench::new(limits);
    let reply = [7; 100];

    for peer in 0..1_000_000 {
        let number = bench.new_request(peer, u64::from(peer), 1);
        match peer % 4 {
            0 => bench.table.forget(number),
            1 => bench.table.deliver(number),
            2 => {
                bench.table.deliver(number);
                bench.answer(peer, peer.into(), &reply).unwrap();
            }
            _ => {}
        }
        let Table { entries: known, numbers, unanswered, bytes: used, .. } = &bench.table;
        assert!(known.len() <= entries && *used <= bytes);
        assert!(numbers.len() == known.len() && unanswered.len() <= known.len());
    }

    // The last requests are known.
    assert_eq!(bench.arrive(999_998, 999_998, 1), answered(&reply));
    bench.now += Duration::from_secs(30);
    bench.new_request(1, 1, 1);
    assert_eq!(bench.table.entries.len(), 1);
}

/// Compares the table with a list of requests, over random operations.
//
#[test]
fn it_does_the_same_as_a_simple_list() {
    struct Simple {
        number: u64,
        key: (u32, u64, u64),
        since: Instant,
        delivered: bool,
        answered: bool,
        reply: Option<Vec<u8>>,
    }
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % limit
    };
    let limits = ReplyCache::default().max_entries(8).max_bytes(6 * OVERHEAD);
    let (ttl, most) = (limits.get_ttl(), limits.get_max_bytes());
    let mut bench = Bench::new(limits);
    let mut list: Vec<Simple> = Vec::new();
    let cost = |list: &[Simple]| -> usize {
        list.iter().map(|one| OVERHEAD + one.reply.as_ref().map_or(0, Vec::len)).sum()
    };
    for _ in 0..100_000 {
        bench.now += Duration::from_millis(below(1_500));
        let (peer, id, digest) = (below(2) as u32, below(3), below(3));
        match below(5) {
            0 | 1 => {
                list.retain(|one| bench.now - one.since < ttl);
                let known = bench.arrive(peer, id, digest);
                match list.iter().find(|one| one.key == (peer, id, digest)) {
                    Some(one) => {
                        let reply = one.reply.as_deref();
                        assert_eq!(known, reply.map_or(Known::Unanswered, answered));
                    }
                    None => {
                        while list.len() >= 8 || cost(&list) + OVERHEAD > most {
                            list.remove(0);
                        }
                        let Known::No(number) = known else { panic!("{known:?}") };
                        let key = (peer, id, digest);
                        let (delivered, answered, since) = (false, false, bench.now);
                        list.push(Simple { number, key, since, delivered, answered, reply: None });
                    }
                }
            }
            2 => {
                if let Some(one) = list.iter_mut().find(|one| !one.delivered) {
                    one.delivered = true;
                    bench.table.deliver(one.number);
                }
            }
            3 => {
                if let Some(at) = list.iter().rposition(|one| !one.delivered) {
                    bench.table.forget(list.remove(at).number);
                }
            }
            _ => {
                let reply = vec![1; below(300) as usize];
                let newest = list.iter().rposition(|one| {
                    one.key.0 == peer && one.key.1 == id && one.delivered && !one.answered
                });
                let number = newest.map(|at| list[at].number);
                if let Some(at) = newest {
                    list[at].answered = true;
                    list[at].reply = Some(reply.clone());
                    while cost(&list) > most {
                        let oldest = list.iter().position(|one| Some(one.number) != number);
                        list.remove(oldest.unwrap());
                    }
                }
                assert_eq!(bench.answer(peer, id, &reply), number);
            }
        }
        assert_eq!(bench.table.entries.len(), list.len());
        assert_eq!(bench.table.bytes, cost(&list));
    }
}
