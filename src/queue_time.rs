//! How long datagrams wait before a handler receives them.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// When the oldest entry of a queue has waited for longer than `TARGET` during the time `INTERVAL`, the queue stands: it is
/// more than a burst. The numbers are those of CoDel (RFC 8289, section 4).
pub(crate) const TARGET: Duration = Duration::from_millis(5);
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// When a datagram arrived, in ticks since the server was bound. Zero means that nobody knows. It wraps around after three
/// days, so an age of more than half of that is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp(u32);

const MICROS_PER_TICK: u64 = 64;
const NONE: u32 = u32::MAX;

impl Stamp {
    pub(crate) const UNKNOWN: Self = Self(0);

    pub(crate) const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// This, or `other` if nobody knows this.
    #[inline]
    pub(crate) const fn or(self, other: Self) -> Self {
        if self.is_known() { self } else { other }
    }

    /// The stamp of a datagram that had waited for `age` at this time.
    #[cfg(any(test, all(target_os = "linux", not(datagrammar_portable))))]
    pub(crate) fn earlier(self, age: Duration) -> Self {
        if !self.is_known() {
            return self;
        }
        Self(self.0.wrapping_sub(ticks(age).min(i32::MAX as u32)).max(1))
    }

    /// How many ticks lie between an arrival and this time.
    const fn since(self, arrived: Self) -> u32 {
        if !self.is_known() || !arrived.is_known() {
            return 0;
        }
        let ticks = self.0.wrapping_sub(arrived.0);
        if ticks > i32::MAX as u32 { 0 } else { ticks }
    }

    /// The time between an arrival and this time; zero if one of them is not known.
    pub(crate) const fn age(self, arrived: Self) -> Duration {
        Duration::from_micros(self.since(arrived) as u64 * MICROS_PER_TICK)
    }
}

/// `time` in ticks, but less than `NONE`.
fn ticks(time: Duration) -> u32 {
    let ticks = time.as_micros() / u128::from(MICROS_PER_TICK);
    u32::try_from(ticks).unwrap_or(NONE).min(NONE - 1)
}

/// How long datagrams may wait. The limit can change while the server serves.
#[derive(Debug)]
pub(crate) struct QueueTime {
    bound: Instant,
    /// The limit in ticks; `NONE` without one.
    limit: AtomicU32,
    /// The limit of the guard.
    guard: AtomicU32,
}

impl QueueTime {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self {
            bound: Instant::now(),
            limit: AtomicU32::new(limit.map_or(NONE, ticks)),
            guard: AtomicU32::new(NONE),
        }
    }

    pub(crate) fn set_limit(&self, limit: Option<Duration>) {
        self.limit.store(limit.map_or(NONE, ticks), Relaxed);
    }

    pub(crate) fn set_guard(&self, limit: Option<Duration>) {
        self.guard.store(limit.map_or(NONE, ticks), Relaxed);
    }

    fn limit(&self) -> u32 {
        self.limit.load(Relaxed).min(self.guard.load(Relaxed))
    }

    /// Whether there is a limit. Without one, nobody needs to know the time.
    #[inline]
    pub(crate) fn is_limited(&self) -> bool {
        self.limit() != NONE
    }

    /// A time after which a datagram is late in any case; `None` without a limit.
    pub(crate) fn longest(&self) -> Option<Duration> {
        let limit = self.limit();
        (limit != NONE).then(|| Duration::from_micros((u64::from(limit) + 1) * MICROS_PER_TICK))
    }

    /// This time, as the stamp of a datagram that arrives now.
    pub(crate) fn stamp(&self, now: Instant) -> Stamp {
        let micros = now.saturating_duration_since(self.bound).as_micros() as u64;
        Stamp(((micros / MICROS_PER_TICK) as u32).max(1))
    }

    /// Whether a datagram has waited longer than the limit.
    #[inline]
    pub(crate) fn is_late(&self, arrived: Stamp, now: Stamp) -> bool {
        now.since(arrived) > self.limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(queue_time: &QueueTime, millis: u64) -> Stamp {
        queue_time.stamp(queue_time.bound + Duration::from_millis(millis))
    }

    //
    #[test]
    fn a_datagram_is_late_when_it_has_waited_longer_than_the_shorter_limit() {
        let queue_time = QueueTime::new(Some(Duration::from_millis(100)));
        let [arrived, in_time, late] = [5, 105, 106].map(|millis| at(&queue_time, millis));

        assert!(!queue_time.is_late(arrived, in_time));
        assert!(queue_time.is_late(arrived, late));
        queue_time.set_guard(Some(Duration::from_millis(50)));
        assert!(queue_time.is_late(arrived, in_time));
        queue_time.set_limit(None);
        assert!(queue_time.is_limited() && queue_time.is_late(arrived, in_time));
        queue_time.set_guard(None);
        assert!(!queue_time.is_limited() && !queue_time.is_late(arrived, late));
        assert_eq!(queue_time.longest(), None);
    }

    //
    #[test]
    fn what_has_no_time_is_never_late_and_the_longest_limit_is_one() {
        let queue_time = QueueTime::new(Some(Duration::ZERO));
        let now = at(&queue_time, 1_000);

        assert!(!queue_time.is_late(Stamp::UNKNOWN, now));
        assert!(!queue_time.is_late(now, Stamp::UNKNOWN));
        assert!(queue_time.is_late(at(&queue_time, 999), now));
        assert_eq!(queue_time.longest(), Some(Duration::from_micros(64)));
        queue_time.set_limit(Some(Duration::MAX));
        assert!(queue_time.is_limited() && !queue_time.is_late(at(&queue_time, 0), now));
    }

    //
    #[test]
    fn ages_go_on_when_the_ticks_wrap_around_and_are_never_negative() {
        let queue_time = QueueTime::new(None);
        let around = u64::from(u32::MAX) * MICROS_PER_TICK / 1_000;
        let (before, after) = (at(&queue_time, around - 500), at(&queue_time, around + 500));

        let age = after.age(before);

        assert!((999..=1_001).contains(&age.as_millis()), "{age:?}");
        assert_eq!(before.age(after), Duration::ZERO);
        let (second, now) = (Duration::from_secs(1), at(&queue_time, 5_000));
        assert_eq!(now.age(now.earlier(second)), second);
        let longest = now.age(now.earlier(Duration::MAX));
        assert!(longest > Duration::from_secs(24 * 3_600), "an age beyond all is the longest one");
        assert_eq!(now.age(Stamp::UNKNOWN), Duration::ZERO);
        assert_eq!(Stamp::UNKNOWN.earlier(second), Stamp::UNKNOWN);
    }
}
