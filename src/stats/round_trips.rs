//! A histogram of round-trip times.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// How many buckets double the time. So a bucket is at most 6.25 % wide.
const PARTS: u64 = 16;
/// The last bucket holds everything above 71 minutes.
const BUCKETS: usize = 29 * PARTS as usize;

/// The round-trip times of the requests of a client; part of [`RequestStats`](crate::RequestStats).
///
/// Times are counted in buckets, from 1 µs to 71 minutes. A bucket is at most 6.25 % wide. Requests that were sent
/// more than once are not in it.
///
/// # Examples
///
/// ```
/// use datagrammar::RequestStats;
///
/// let stats = RequestStats::default();
/// assert_eq!((stats.round_trips.count(), stats.round_trips.quantile(0.5)), (0, None));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RoundTrips {
    buckets: Box<[u64; BUCKETS]>,
    micros: u64,
}

impl RoundTrips {
    /// Returns how many round trips were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns a time that the part `quantile` of the round trips did not exceed: the median for 0.5. It is the
    /// upper end of a bucket. Returns `None` if none was measured. `quantile` is from 0 to 1; other numbers count
    /// as the nearest of these.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count();
        let rank = (quantile.clamp(0.0, 1.0) * count as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let reaches = |number: &u64| {
            below += number;
            below >= rank
        };
        let bucket = self.buckets.iter().position(reaches).filter(|_| count > 0)?;
        Some(Duration::from_micros(upper_end(bucket)))
    }

    /// The sum of all round trips, in whole microseconds each.
    pub(super) const fn sum(&self) -> Duration {
        Duration::from_micros(self.micros)
    }

    /// Limits from 64 µs to 67 s, each twice the one before, with how many round trips were shorter and not shorter than the
    /// limit before; and how many were not shorter than all limits.
    pub(super) fn doubling(&self) -> (impl Iterator<Item = (Duration, u64)>, u64) {
        // Each 16 buckets end at twice the time of the 16 before.
        let sums: Vec<u64> =
            self.buckets.chunks(PARTS as usize).map(|part| part.iter().sum()).collect();
        let above = sums[LONGEST + 1..].iter().sum();
        let limited = (SHORTEST..=LONGEST).map(move |n| {
            let first = if n == SHORTEST { 0 } else { n };
            (Duration::from_micros(PARTS << n), sums[first..=n].iter().sum())
        });
        (limited, above)
    }
}

/// The limits of 64 µs and 67 s.
const SHORTEST: usize = 2;
const LONGEST: usize = 22;

/// The bucket of a time in microseconds. The first 16 buckets are 1 µs wide.
fn bucket(micros: u64) -> usize {
    let doubled = (micros / PARTS).checked_ilog2().map_or(0, |n| n as u64);
    ((doubled * PARTS + (micros >> doubled)) as usize).min(BUCKETS - 1)
}

/// The longest time in a bucket, in microseconds.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doubled = (bucket / PARTS).saturating_sub(1);
    ((bucket - doubled * PARTS + 1) << doubled) - 1
}

impl Default for RoundTrips {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), micros: 0 }
    }
}

/// Prints the number of round trips, the median and the 99th percentile.
impl fmt::Debug for RoundTrips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoundTrips")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .finish()
    }
}

/// The counters of a [`RoundTrips`].
#[derive(Debug)]
pub(super) struct RoundTripCounters {
    buckets: Box<[AtomicU64; BUCKETS]>,
    micros: AtomicU64,
}

impl RoundTripCounters {
    pub(super) fn add(&self, time: Duration) {
        let micros = time.as_micros().try_into().unwrap_or(u64::MAX);
        self.buckets[bucket(micros)].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }

    pub(super) fn read(&self) -> RoundTrips {
        RoundTrips {
            buckets: Box::new(std::array::from_fn(|n| self.buckets[n].load(Relaxed))),
            micros: self.micros.load(Relaxed),
        }
    }
}

impl Default for RoundTripCounters {
    fn default() -> Self {
        Self {
            buckets: Box::new([const { AtomicU64::new(0) }; BUCKETS]),
            micros: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Q-2
    #[test]
    fn each_time_is_in_a_narrow_bucket() {
        let mut before = None;
        for micros in (0..2_000).chain((11..42).map(|n| 1 << n)).chain([u64::MAX]) {
            let n = bucket(micros);
            assert!(before.is_none_or(|before| before <= n), "{micros}");
            before = Some(n);
            if n < BUCKETS - 1 {
                let end = upper_end(n);
                assert!(end >= micros && bucket(end) == n && bucket(end + 1) == n + 1, "{micros}");
                assert!(end - micros <= micros / PARTS, "{micros} {end}");
            }
        }
        assert!(upper_end(BUCKETS - 2) > 3_600_000_000);
    }

    // Q-2
    #[test]
    fn quantiles_are_read_from_the_buckets() {
        let counters = RoundTripCounters::default();
        for ms in 1..=100 {
            counters.add(Duration::from_millis(ms));
        }
        let times = counters.read();

        let quantile = |quantile| times.quantile(quantile).unwrap().as_millis();
        assert_eq!(times.count(), 100);
        assert!((50..54).contains(&quantile(0.5)), "{}", quantile(0.5));
        assert!((99..106).contains(&quantile(0.99)) && (1..2).contains(&quantile(0.0)));
        assert!(quantile(1.0) == quantile(7.0) && quantile(-1.0) == quantile(0.0));
        counters.add(Duration::MAX);
        assert!(counters.read().quantile(1.0).unwrap() > Duration::from_secs(3_600));
    }
    // Q-2
    #[test]
    fn each_round_trip_is_below_the_limit_that_counts_it() {
        for (micros, limit) in [(0, 64), (63, 64), (64, 128), (127, 128), (1_000_000, 1 << 20)] {
            let counters = RoundTripCounters::default();
            counters.add(Duration::from_micros(micros));

            let times = counters.read();
            let (limited, above) = times.doubling();
            let counted: Vec<_> = limited.filter(|(_, count)| *count > 0).collect();
            assert_eq!((counted, above), (vec![(Duration::from_micros(limit), 1)], 0), "{micros}");
            assert_eq!(times.sum(), Duration::from_micros(micros));
        }
        let counters = RoundTripCounters::default();
        counters.add(Duration::from_secs(68));
        let times = counters.read();
        let (limited, above) = times.doubling();
        assert_eq!((limited.map(|(_, count)| count).sum::<u64>(), above), (0, 1));
        assert_eq!(
            times.doubling().0.map(|(limit, _)| limit).max(),
            Some(Duration::from_micros(1 << 26))
        );
    }
}
