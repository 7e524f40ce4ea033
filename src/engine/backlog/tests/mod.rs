//! Tests of the backlog.

mod random;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::time::Instant;

use super::*;
use crate::Limits;

/// A backlog, and the time.
struct Bench {
    backlog: Backlog,
    counters: Arc<Counters>,
    limits: Arc<LiveLimits>,
    bound: Instant,
    millis: u64,
    /// How many were late until the last push.
    late: u64,
}

impl Bench {
    fn new(limits: &Limits) -> Self {
        let limits = Arc::new(LiveLimits::new(limits));
        let counters = Arc::<Counters>::default();
        let backlog = Backlog::new(Arc::clone(&limits), Arc::clone(&counters));
        Self { backlog, counters, limits, bound: Instant::now(), millis: 0, late: 0 }
    }

    fn now(&self) -> Stamp {
        self.limits.queue_time().stamp(self.bound + Duration::from_millis(self.millis))
    }

    /// Pushes a datagram of `len` bytes.
    fn push_long(&mut self, port: u16, byte: u8, len: usize) -> (Result<(), DropReason>, u64) {
        let ancillary = Ancillary { arrived: self.now(), ..Ancillary::default() };
        let (datagram, now) = (vec![byte; len], self.now());
        let pushed = self.backlog.push(&peer(port), ancillary, &datagram, None, false, now);
        let Lost { late, freed } = self.backlog.take_lost();
        self.late += late;
        (pushed, freed)
    }

    fn push(&mut self, port: u16, byte: u8) {
        assert_eq!(self.push_long(port, byte, 1), (Ok(()), 0));
    }

    /// The port and the byte of the datagram whose turn it is.
    fn take(&mut self) -> Option<(u16, u8)> {
        let now = self.now();
        self.backlog.expire(now);
        self.backlog.take(now).map(|turn| told(&turn))
    }

    fn take_all(&mut self) -> Vec<(u16, u8)> {
        std::iter::from_fn(|| self.take()).collect()
    }

    fn wait(&mut self, millis: u64) -> u64 {
        self.millis += millis;
        let now = self.now();
        self.backlog.expire(now);
        self.backlog.take_lost().late
    }
}

fn peer(port: u16) -> Addr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
}

fn told(turn: &Turn) -> (u16, u8) {
    (turn.from.port().unwrap(), turn.waiting.1[0])
}

fn one_second() -> Limits {
    Limits::default().max_queue_time(Duration::from_secs(1))
}

//
#[test]
fn a_burst_is_served_in_order_of_arrival_and_what_came_last_first_when_the_queue_stands() {
    let mut bench = Bench::new(&one_second());
    for port in 1..=4 {
        bench.push(port, 0);
    }
    assert_eq!(bench.take(), Some((1, 0)));

    bench.wait(6);
    assert_eq!(bench.take(), Some((2, 0)), "it has not waited for long");
    bench.wait(98);
    bench.push(5, 0);
    assert_eq!(bench.take(), Some((3, 0)));
    bench.wait(3);

    assert_eq!(bench.take_all(), [(5, 0), (4, 0)]);
    bench.push(6, 0);
    bench.push(7, 0);
    assert_eq!(bench.take_all(), [(6, 0), (7, 0)], "the queue was empty");
}

//
#[test]
fn the_queue_does_not_stand_while_the_oldest_datagram_waits_less_than_five_milliseconds() {
    let mut bench = Bench::new(&one_second());
    bench.push(1, 0);
    for port in 2..102 {
        bench.wait(2);
        bench.push(port, 0);

        let oldest = port - 1;
        assert_eq!(bench.take(), Some((oldest, 0)));
    }
}

// A-12, D-2
#[test]
fn the_datagrams_of_a_peer_stay_in_order_and_peers_that_were_served_come_after_new_ones() {
    let mut bench = Bench::new(&one_second());
    for byte in 0..3 {
        bench.push(1, byte);
    }
    bench.push(2, 0);
    bench.push(2, 1);
    bench.wait(6);
    bench.wait(101);
    bench.push(3, 0);

    let taken = bench.take_all();

    assert_eq!(taken, [(3, 0), (2, 1), (1, 2)], "those before were older than their successors");
}

//
#[test]
fn a_peer_that_was_served_comes_after_new_ones_also_if_what_came_next_was_late() {
    let mut bench = Bench::new(&one_second());
    bench.push(1, 0);
    bench.push(1, 1);
    assert_eq!(bench.take(), Some((1, 0)));
    bench.wait(40);
    bench.push(2, 0);
    bench.wait(10);
    bench.push(1, 2);

    assert_eq!(bench.wait(951), 1);
    assert_eq!(bench.take_all(), [(2, 0), (1, 2)]);
}

//
#[test]
fn a_peer_that_repeats_its_request_counts_as_one_that_has_just_come() {
    let mut bench = Bench::new(&one_second());
    bench.push(1, 0);
    bench.push(2, 0);
    bench.wait(6);
    bench.wait(60);
    bench.push(3, 0);
    bench.push(2, 1);
    bench.wait(41);
    bench.push(4, 0);
    bench.push(1, 1);
    bench.push(2, 2);

    assert_eq!(bench.late, 2);
    assert_eq!(bench.take_all(), [(1, 1), (4, 0), (2, 1), (3, 0), (2, 2)]);
}

//
#[test]
fn a_request_that_was_repeated_counts_as_one_that_has_just_come() {
    let mut bench = Bench::new(&one_second());
    for port in 1..=3 {
        bench.push(port, 0);
    }
    bench.wait(6);
    bench.wait(900);
    let now = bench.now();
    bench.backlog.renew(&peer(2), now);
    bench.backlog.renew(&peer(9), now);

    assert_eq!(bench.wait(100), 2, "the others have waited for longer than a second");

    bench.push(4, 0);
    assert_eq!(bench.take_all(), [(4, 0), (2, 0)]);
    assert_eq!(bench.counters.read().queued_bytes, 0);
}

//
#[test]
fn the_rest_of_a_peer_can_be_taken_for_its_conversation() {
    let mut bench = Bench::new(&one_second());
    bench.push(1, 0);
    bench.push(2, 0);
    bench.push(1, 1);
    bench.push(1, 2);

    assert_eq!(bench.take(), Some((1, 0)));
    assert!(!bench.backlog.is_empty());

    let rest: Vec<_> =
        std::iter::from_fn(|| bench.backlog.take_of(&peer(1))).map(|turn| told(&turn)).collect();
    assert_eq!(rest, [(1, 1), (1, 2)]);
    assert_eq!(bench.take_all(), [(2, 0)]);
    assert!(bench.backlog.is_empty());
}

//
#[test]
fn what_waits_longer_than_the_limit_is_dropped_oldest_first() {
    let mut bench = Bench::new(&one_second());
    bench.push(1, 0);
    bench.wait(500);
    bench.push(1, 1);
    bench.push(2, 0);

    assert_eq!(bench.wait(500), 0);
    assert_eq!(bench.wait(1), 1);
    assert_eq!(bench.wait(499), 0);
    assert_eq!(bench.wait(1), 2);
    assert!(bench.backlog.is_empty());
    assert_eq!(bench.counters.read().queued_bytes, 0);
}

//
#[test]
fn what_is_late_is_not_taken_although_something_younger_came_before() {
    let mut bench = Bench::new(&one_second());
    bench.millis = 2_000;
    bench.push(1, 0);
    bench.wait(6);
    bench.wait(101);
    let arrived = bench.now().earlier(Duration::from_millis(990));
    for (port, byte) in [(2, 0), (3, 0), (3, 1)] {
        let ancillary = Ancillary { arrived, ..Ancillary::default() };
        let now = bench.now();
        bench.backlog.push(&peer(port), ancillary, &[byte], None, false, now).unwrap();
    }

    bench.millis += 20;

    assert_eq!(bench.take_all(), [(1, 0)]);
    assert_eq!(bench.backlog.take_lost().late, 3);
}

//
#[test]
fn a_datagram_that_no_queue_can_take_displaces_no_others() {
    let limits = one_second().max_queue_bytes(10).overflow(Overflow::DropOldest);
    let mut bench = Bench::new(&limits);
    for byte in 0..3 {
        bench.push(1, byte);
    }

    assert_eq!(bench.push_long(1, 3, 11), (Err(DropReason::QueueFull), 0));

    assert_eq!(bench.take_all(), [(1, 0), (1, 1), (1, 2)]);
}

//
#[test]
fn the_memory_of_a_queue_follows_what_waits_in_it() {
    let mut bench = Bench::new(&one_second());
    for byte in 0..=255 {
        bench.push(1, byte);
    }

    for byte in 0..250 {
        assert_eq!(bench.take(), Some((1, byte)));
    }

    let (_, queue) = bench.backlog.order.oldest().unwrap();
    assert!(queue.rest.capacity() <= 16, "{}", queue.rest.capacity());
}

//
#[test]
fn the_limits_of_a_queue_hold_for_each_peer() {
    let limits = one_second().max_queue_len(1).max_queue_bytes(10);
    let mut bench = Bench::new(&limits);
    bench.push(1, 0);
    bench.push(1, 1);
    assert_eq!(bench.push_long(1, 2, 1), (Err(DropReason::QueueFull), 0));
    bench.push(2, 0);
    assert_eq!(bench.push_long(2, 1, 11), (Err(DropReason::QueueFull), 0));
    assert_eq!(bench.push_long(2, 2, 10), (Ok(()), 0), "the bound itself fits");
    assert_eq!(bench.take_all(), [(1, 0), (1, 1), (2, 0), (2, 2)]);

    let mut bench = Bench::new(&limits.overflow(Overflow::DropOldest));
    for byte in 0..4 {
        bench.push(1, byte);
    }
    assert_eq!(bench.counters.read().dropped(DropReason::QueueFull), 2);
    assert_eq!(bench.take_all(), [(1, 0), (1, 3)]);
    assert_eq!(bench.counters.read().queued_bytes, 0);
}

//
#[test]
fn what_was_taken_leaves_its_bytes_to_others_of_its_peer() {
    let mut bench = Bench::new(&one_second().max_queue_bytes(10));
    bench.push(1, 0);
    assert_eq!(bench.push_long(1, 1, 6), (Ok(()), 0));
    assert_eq!(bench.take(), Some((1, 0)));

    assert_eq!(bench.push_long(1, 2, 10), (Ok(()), 0));
    assert_eq!(bench.push_long(1, 3, 1), (Err(DropReason::QueueFull), 0));
}

//
#[test]
fn with_drop_oldest_the_bytes_of_a_queue_are_those_that_wait() {
    let mut bench = Bench::new(&one_second().max_queue_bytes(10).overflow(Overflow::DropOldest));
    for (byte, len) in [(0, 1), (1, 6), (2, 6), (3, 4)] {
        assert_eq!(bench.push_long(1, byte, len), (Ok(()), 0));
    }

    assert_eq!(bench.counters.read().dropped(DropReason::QueueFull), 1);
    assert_eq!(bench.take_all(), [(1, 0), (1, 2), (1, 3)]);
}

//
#[test]
fn if_all_memory_is_taken_the_peer_that_has_waited_longest_loses_its_datagrams() {
    // A peer with one datagram of 44 bytes takes 96 + 160 and 44 + 160 bytes.
    let mut bench = Bench::new(&one_second().max_total_queue_bytes(3 * 460));
    let mut push = |port, byte| bench.push_long(port, byte, 44);
    for (port, byte) in [(1, 0), (2, 0), (3, 0)] {
        assert_eq!(push(port, byte), (Ok(()), 0));
    }

    assert_eq!(push(4, 0), (Ok(()), 1));
    assert_eq!(push(2, 1), (Err(DropReason::MemoryLimit), 0), "it waits longest itself");
    assert_eq!(push(4, 1), (Ok(()), 1));

    assert_eq!(bench.take_all(), [(3, 0), (4, 0), (4, 1)]);
    assert_eq!(bench.counters.read().queued_bytes, 0);
}

// G-9
#[test]
fn what_waits_at_the_end_is_counted() {
    let mut bench = Bench::new(&one_second());
    bench.push(1, 0);
    bench.push(1, 1);
    bench.push(2, 0);

    drop(bench.backlog);

    let stats = bench.counters.read();
    assert_eq!((stats.dropped(DropReason::ShuttingDown), stats.queued_bytes), (3, 0));
}
