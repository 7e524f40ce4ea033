//! Swarms: what is remembered, and for how long.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use super::{
    HASH,
    server::{
        packet::{Announce, Counts, Event},
        swarms::Swarms,
    },
};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The length of an address in a response.
const LEN: usize = 6;

fn leecher(port: u16) -> Announce {
    Announce { info_hash: HASH, left: 1, event: Event::None, wanted: u32::MAX, port }
}

fn counts(seeders: u32, leechers: u32, completed: u32) -> Counts {
    Counts { seeders, leechers, completed }
}

#[test]
fn tracker_forgets_peers_that_are_silent() {
    let start = Instant::now();
    let after = |minutes: u64| start + Duration::from_secs(60 * minutes);
    let mut swarms = Swarms::new(100, 100, start);
    for port in [1, 2] {
        swarms.announce(&leecher(port), IP, start).unwrap();
    }

    assert_eq!(swarms.announce(&leecher(1), IP, after(44)).unwrap().1.len(), LEN);
    let (counted, peers) = swarms.announce(&leecher(1), IP, after(46)).unwrap();
    assert_eq!((counted, peers.len()), (counts(0, 1, 0), 0));

    let other = Announce { info_hash: [0; 20], ..leecher(3) };
    swarms.announce(&other, IP, after(92)).unwrap();
    assert_eq!(swarms.scrape(HASH, IP), counts(0, 0, 0));
}

#[test]
fn tracker_remembers_a_bounded_number_of_peers() {
    let now = Instant::now();
    let mut swarms = Swarms::new(10, 4, now);

    for port in 1..=20 {
        assert_eq!(
            swarms.announce(&leecher(port), IP, now).unwrap().0.leechers,
            u32::from(port).min(4)
        );
    }
    for (torrent, stored) in [(1, 4), (2, 2)] {
        for port in 1..=4 {
            let other = Announce { info_hash: [torrent; 20], ..leecher(port) };
            let _ = swarms.announce(&other, IP, now);
        }
        assert_eq!(swarms.scrape([torrent; 20], IP), counts(0, stored, 0));
    }
    let another = Announce { info_hash: [3; 20], ..leecher(1) };
    assert_eq!(swarms.announce(&another, IP, now), Err("tracker is full"));

    // Who is known can go on, and who leaves makes room.
    assert_eq!(swarms.announce(&leecher(1), IP, now).unwrap().0.leechers, 4);
    swarms.announce(&Announce { event: Event::Stopped, ..leecher(1) }, IP, now).unwrap();
    assert_eq!(swarms.announce(&another, IP, now).unwrap().0, counts(0, 1, 0));
}

#[test]
fn tracker_counts_a_repeated_packet_once() {
    let now = Instant::now();
    let mut swarms = Swarms::new(100, 100, now);
    let has_completed = Announce { left: 0, event: Event::Completed, ..leecher(1) };
    let stops = Announce { left: 0, event: Event::Stopped, ..leecher(1) };
    swarms.announce(&leecher(2), IP, now).unwrap();

    for (announce, counted) in [
        (&leecher(1), counts(0, 2, 0)),
        (&has_completed, counts(1, 1, 1)),
        (&stops, counts(0, 1, 1)),
        (&has_completed, counts(1, 1, 1)), // it was no leecher before
    ] {
        for _ in 0..2 {
            assert_eq!(swarms.announce(announce, IP, now).unwrap().0, counted);
        }
    }
}

#[test]
fn tracker_names_at_most_50_peers_and_others_each_time() {
    fastrand::seed(1);
    let now = Instant::now();
    let mut swarms = Swarms::new(1_000, 1_000, now);
    for port in 1..=200 {
        swarms.announce(&leecher(port), IP, now).unwrap();
    }
    let mut ask = |wanted| {
        let announce = Announce { wanted, ..leecher(1) };
        let peers = swarms.announce(&announce, IP, now).unwrap().1;
        peers.chunks(LEN).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };

    assert_eq!((ask(0).len(), ask(7).len(), ask(51).len()), (0, 7, 50));
    let mut known = BTreeSet::new();
    for _ in 0..1_000 {
        let peers: BTreeSet<_> = ask(u32::MAX).into_iter().collect();
        assert_eq!(peers.len(), 50);
        known.extend(peers);
    }
    // All but the one that asks.
    let all = (2..=200_u16).map(|port| [&[192, 0, 2, 7], &port.to_be_bytes()[..]].concat());
    assert_eq!(known, all.collect());
}
