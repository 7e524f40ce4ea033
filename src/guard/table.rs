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

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of a source with these places.
    const fn hash(first: u64, second: u64) -> u64 {
        first | second << 32
    }

    //
    #[test]
    fn a_source_is_limited_only_if_both_its_places_are_exhausted() {
        let (table, rate) = (Table::new(), Rate::new(1, 1));
        let pays = |first, second| table.pay(hash(first, second), rate, 0);
        let has_room = |first, second| table.has_room(hash(first, second), rate, 0);

        assert!(has_room(1, 2) && has_room(1, 2), "asking is free");
        assert!(pays(1, 2));
        assert!(!has_room(1, 2) && !pays(1, 2));
        assert!(has_room(1, 3) && pays(1, 3), "it shares the first place");
        assert!(has_room(4, 2) && pays(4, 2), "it shares the second place");
        assert!(!has_room(4, 3) && !pays(4, 3), "both were exhausted by others");
        assert!(pays(2, 1), "the rows have places of their own");
    }

    //
    #[test]
    fn a_place_is_free_again_when_its_source_has_paid() {
        let (table, rate) = (Table::new(), Rate::new(4, 2));
        let quarter = 250_000_000;
        let pays = |now| table.pay(hash(1, 2), rate, now);
        assert_eq!([0, 0, 0].map(pays), [true, true, false]);

        assert!(!table.has_room(hash(1, 2), rate, quarter - 1) && !pays(quarter - 1));
        assert!(table.has_room(hash(1, 2), rate, quarter) && pays(quarter));
        assert!(!pays(quarter));
    }

    //
    #[test]
    fn a_rate_is_a_cost_in_time_and_never_zero() {
        let rate = |per_second, burst| {
            let Rate { cost, ahead } = Rate::new(per_second, burst);
            (cost, ahead)
        };

        assert_eq!(rate(50, 125), (20_000_000, 2_500_000_000));
        assert_eq!(rate(u64::MAX, 3), (1, 3));
        assert_eq!(rate(1, u64::MAX), (1_000_000_000, u64::MAX));
    }
}
