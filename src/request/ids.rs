//! The ids of requests: unpredictable, unique, and not used again for a while.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::Instant;

use crate::timing::after;

/// The ids of one socket. Numbers rise by one, and a keyed permutation makes ids of them. So no id is used twice
/// until all were used, nobody can guess the next one, and no memory is needed for those in use.
#[derive(Debug)]
pub(super) struct Ids {
    permutation: Permutation,
    /// The next number, and the first one whose id may not be used again yet.
    next: u64,
    reserved_from: u64,
    /// Points in time, and the next number at that time.
    marks: VecDeque<(Instant, u64)>,
    /// How long an id is not used again.
    reserve: Duration,
}

/// How many marks the time of a reservation has.
const MARKS: u32 = 64;

impl Ids {
    /// Ids from 0 to `max`. Each is not used again for `reserve`.
    pub(super) fn new(max: u64, reserve: Duration) -> Self {
        Self {
            permutation: Permutation::new(max.saturating_add(1)),
            next: 0,
            reserved_from: 0,
            marks: VecDeque::new(),
            reserve,
        }
    }

    /// Takes an id; if all are in use, returns the time when to try again.
    pub(super) fn take(&mut self) -> Result<u64, Instant> {
        let now = Instant::now();
        self.release(now);
        if self.next - self.reserved_from >= self.permutation.len {
            return Err(self.next_release().unwrap_or(now));
        }
        let step = self.reserve / MARKS;
        if self.marks.back().is_none_or(|(time, _)| now >= after(*time, step)) {
            self.marks.push_back((now, self.next));
        }
        let id = self.permutation.of(self.next % self.permutation.len);
        self.next += 1;
        Ok(id)
    }

    /// Whether `id` was taken and may still be in use.
    pub(super) fn is_recent(&self, id: u64) -> bool {
        let len = self.permutation.len;
        let Some(last) = self.next.checked_sub(1).filter(|_| id < len) else { return false };
        let number = self.permutation.number(id);
        let behind = (last % len + len - number) % len;
        behind <= last && last - behind >= self.reserved_from
    }

    /// Releases the ids that have rested.
    fn release(&mut self, now: Instant) {
        while self.next_release().is_some_and(|time| time <= now) {
            self.marks.pop_front();
            self.reserved_from = self.marks.front().map_or(self.next, |(_, next)| *next);
        }
    }

    /// When the ids of the first mark have rested. They were taken within one step.
    fn next_release(&self) -> Option<Instant> {
        let (first, _) = self.marks.front()?;
        Some(after(after(*first, self.reserve / MARKS), self.reserve))
    }
}

/// A keyed permutation of the numbers below `len`: a Feistel network, whose domain is the next power of 4. A
/// number that it maps beyond `len` is mapped again.
#[derive(Debug)]
struct Permutation {
    len: u64,
    half: u32,
    key: RandomState,
}

impl Permutation {
    const ROUNDS: u8 = 4;

    fn new(len: u64) -> Self {
        let len = len.clamp(1, 1 << 62);
        let bits = u64::BITS - (len - 1).leading_zeros();
        Self { len, half: bits.div_ceil(2), key: RandomState::new() }
    }

    /// The id of a number.
    fn of(&self, number: u64) -> u64 {
        self.walk(number, |left, right| {
            (0..Self::ROUNDS)
                .fold((left, right), |(left, right), n| (right, left ^ self.round(n, right)))
        })
    }

    /// The number of an id.
    fn number(&self, id: u64) -> u64 {
        self.walk(id, |left, right| {
            (0..Self::ROUNDS)
                .rev()
                .fold((left, right), |(left, right), n| (right ^ self.round(n, left), left))
        })
    }

    fn walk(&self, mut number: u64, rounds: impl Fn(u64, u64) -> (u64, u64)) -> u64 {
        loop {
            let (left, right) = rounds(number >> self.half, number & self.mask());
            number = left << self.half | right;
            if number < self.len {
                return number;
            }
        }
    }

    fn round(&self, n: u8, half: u64) -> u64 {
        self.key.hash_one((n, half)) & self.mask()
    }

    const fn mask(&self) -> u64 {
        (1 << self.half) - 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokio::time::advance;

    use super::*;

    const RESERVE: Duration = Duration::from_secs(32);

    //
    #[tokio::test(start_paused = true)]
    async fn no_id_is_used_twice_until_it_has_rested() {
        for max in [0, 1, 2, 5, 255, 1_000] {
            let mut ids = Ids::new(max, RESERVE);
            for _ in 0..3 {
                let mut taken = HashSet::new();
                for _ in 0..=max {
                    let id = ids.take().unwrap();
                    assert!(id <= max && taken.insert(id));
                }
                let free = ids.take().unwrap_err();
                assert!(free > Instant::now());
                advance(RESERVE - Duration::from_millis(1)).await;
                assert!(ids.take().is_err());
                advance(RESERVE / MARKS + Duration::from_millis(1)).await;
            }
        }
    }

    //
    #[tokio::test(start_paused = true)]
    async fn ids_become_free_in_the_order_in_which_they_were_taken() {
        let mut ids = Ids::new(255, RESERVE);
        for _ in 0..128 {
            ids.take().unwrap();
        }
        advance(RESERVE / 2).await;
        for _ in 0..128 {
            ids.take().unwrap();
        }
        let free = ids.take().unwrap_err();
        assert!(free <= Instant::now() + RESERVE);

        // The second half was taken in one instant, so the first half is free when that mark has rested at the latest.
        advance(free - Instant::now()).await;
        for _ in 0..128 {
            ids.take().unwrap();
        }
    }

    //
    #[tokio::test(start_paused = true)]
    async fn ids_that_rest_for_ever_do_not_overflow() {
        let mut ids = Ids::new(1, Duration::MAX);
        assert!(ids.take().is_ok() && ids.take().is_ok());

        let free = ids.take().unwrap_err();

        assert!(free > Instant::now() + Duration::from_secs(1 << 29));
    }

    //
    #[tokio::test(start_paused = true)]
    async fn an_id_that_was_taken_is_recent_and_others_are_not() {
        let mut ids = Ids::new(u32::MAX.into(), RESERVE);
        assert!(!ids.is_recent(0));
        let taken: HashSet<_> = (0..1_000).map(|_| ids.take().unwrap()).collect();

        assert!(taken.iter().all(|id| ids.is_recent(*id)));
        let recent = (0..100_000).filter(|id| ids.is_recent(*id) && !taken.contains(id)).count();
        assert_eq!(recent, 0);
        assert!(!ids.is_recent(u64::MAX));

        advance(2 * RESERVE).await;
        ids.take().unwrap();
        assert!(taken.iter().all(|id| !ids.is_recent(*id)));
    }

    //
    #[tokio::test(start_paused = true)]
    async fn ids_do_not_follow_each_other() {
        let (mut one, mut other) =
            (Ids::new(u32::MAX.into(), RESERVE), Ids::new(u32::MAX.into(), RESERVE));
        let ids: Vec<_> = (0..1_000).map(|_| one.take().unwrap()).collect();

        assert!(ids.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 1_000).count() < 5);
        let same = ids.iter().filter(|id| **id == other.take().unwrap()).count();
        assert!(same < 3, "{same} ids of two clients are equal");
        // All bits vary.
        let (all, any) = ids.iter().fold((u64::MAX, 0), |(all, any), id| (all & id, any | id));
        assert_eq!((all, any), (0, u32::MAX.into()));
    }

    //
    #[tokio::test(start_paused = true)]
    async fn the_marks_take_little_memory() {
        let mut ids = Ids::new(u64::MAX, RESERVE);
        for _ in 0..100_000 {
            ids.take().unwrap();
            advance(Duration::from_millis(10)).await;
        }

        assert!(ids.marks.len() <= MARKS as usize + 2, "{}", ids.marks.len());
    }
}
