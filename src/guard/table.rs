//! A table of fixed size that counts what sources do, and that a flood cannot fill.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::time::Instant;

/// The sources of one limit, each with two places.
///
/// A place holds a time: when its source will have paid for what it did, at the rate of the limit (the generic cell
/// rate algorithm, GCRA). So it needs no timer, and a place that was not used for long is empty by itself. Sources that
/// share a place pay together. A source is limited only if both its places are exhausted.
pub(super) struct Table {
    places: Box<[[AtomicU64; ROWS]]>,
    /// Random, so that nobody can choose addresses that share a place with somebody else.
    key: RandomState,
    start: Instant,
}

/// What is limited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// The time that one costs, in nanoseconds.
    pub(super) cost: u64,
    /// How far a source may be ahead, in nanoseconds.
    pub(super) ahead: u64,
}

/// How many places a source has, and how many there are.
const ROWS: usize = 2;
const PLACES: usize = 1 << 14;

impl Rate {
    pub(super) fn new(per_second: u64, burst: u64) -> Self {
        let cost = (1_000_000_000 / per_second.max(1)).max(1);
        Self { cost, ahead: cost.saturating_mul(burst) }
    }
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| [const { AtomicU64::new(0) }; ROWS]).collect(),
            key: RandomState::new(),
            start: Instant::now(),
        }
    }

    /// The time since the table was made, in nanoseconds.
    pub(super) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// The hash of a source, which finds its places.
    pub(super) fn hash(&self, source: impl Hash) -> u64 {
        self.key.hash_one(source)
    }

    fn places(&self, hash: u64) -> [&AtomicU64; ROWS] {
        let at = |row: usize| &self.places[(hash >> (32 * row)) as usize % PLACES][row];
        [at(0), at(1)]
    }

    /// Whether a source may go on. Then it has paid. It pays at both places where it can, so that neither knows less than
    /// the other.
    pub(super) fn pay(&self, hash: u64, rate: Rate, now: u64) -> bool {
        let paid = |until: u64| {
            let until = until.max(now).saturating_add(rate.cost);
            (until - now <= rate.ahead).then_some(until)
        };
        let has_paid = |place: &AtomicU64| place.fetch_update(Relaxed, Relaxed, paid).is_ok();
        self.places(hash).map(has_paid).contains(&true)
    }

    /// Whether a source may go on. It pays nothing.
    pub(super) fn has_room(&self, hash: u64, rate: Rate, now: u64) -> bool {
        let has_room = |place: &AtomicU64| {
            place.load(Relaxed).max(now).saturating_add(rate.cost) - now <= rate.ahead
        };
        self.places(hash).into_iter().any(has_room)
    }
}
