//! When a request is repeated: round-trip times and timers (RFC 6298, RFC 8085 section 3.1).

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// The numbers that decide when requests are repeated.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    /// The first timer, as long as there is no sample of the round-trip time.
    pub(crate) initial: Duration,
    /// The shortest and the longest timer.
    pub(crate) min: Duration,
    pub(crate) max: Duration,
    /// How long a request lasts in all.
    pub(crate) total: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            min: Duration::from_millis(200),
            max: Duration::from_secs(16),
            total: Duration::from_secs(30),
        }
    }
}

/// The time `wait` after `start`. If that cannot be expressed, a time that is not reached.
pub(crate) fn after(start: Instant, wait: Duration) -> Instant {
    const FAR_AWAY: Duration = Duration::from_secs(1 << 30);

    start.checked_add(wait).unwrap_or_else(|| start + FAR_AWAY)
}

/// What is known of the round-trip time to one server.
#[derive(Debug, Default)]
pub(crate) struct RoundTrip {
    /// The smoothed round-trip time and its variation.
    smoothed: Option<(Duration, Duration)>,
    /// The last timer of a request that was answered after a repetition. Its response gives no sample, since
    /// nobody knows which attempt it answers. So this timer stays until there is a sample (Karn's algorithm).
    backed_off: Option<Duration>,
}

impl RoundTrip {
    /// Adds the round-trip time of a request that was sent once.
    pub(crate) fn sample(&mut self, time: Duration) {
        self.backed_off = None;
        self.smoothed = Some(match self.smoothed {
            None => (time, time / 2),
            Some((smoothed, variation)) => {
                ((7 * smoothed + time) / 8, (3 * variation + smoothed.abs_diff(time)) / 4)
            }
        });
    }

    /// Remembers the last timer of a request that was answered after a repetition.
    pub(crate) fn answered_after(&mut self, timer: Duration) {
        self.backed_off = Some(timer);
    }

    /// The timer of attempt number `attempt`, from 0. `jitter` is from 0 to 1; the first timer has none.
    pub(crate) fn timer(&self, timing: &Timing, attempt: u32, jitter: f64) -> Duration {
        /// Repetitions of many clients must not stay in step.
        const JITTER: f64 = 0.1;

        let first = match self.smoothed {
            None => timing.initial,
            Some((smoothed, variation)) => (smoothed + 4 * variation).max(timing.min),
        };
        let first = first.max(self.backed_off.unwrap_or_default()).min(timing.max);
        if attempt == 0 {
            return first;
        }
        let doubled = first.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
        // So nothing overflows, and the result is never above the longest timer.
        let doubled = doubled.min(timing.max.saturating_mul(2)).as_secs_f64();
        let timer = doubled * (1.0 - JITTER + 2.0 * JITTER * jitter);
        Duration::try_from_secs_f64(timer).unwrap_or(timing.max).min(timing.max)
    }

    /// The smoothed round-trip time, if there is a sample.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(|(smoothed, _)| smoothed)
    }
}

/// Random numbers for the jitter (splitmix64). They need not be unpredictable.
#[derive(Debug)]
pub(crate) struct Jitter(AtomicU64);

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next number from 0 to 1.
    pub(crate) fn next(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

        let mut bits = self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The timers of the first `N` attempts without jitter.
    fn timers<const N: usize>(round_trip: &RoundTrip, timing: &Timing) -> [u128; N] {
        std::array::from_fn(|n| round_trip.timer(timing, n as u32, 0.5).as_millis())
    }

    //
    #[test]
    fn timers_begin_at_one_second_and_double_up_to_16_seconds() {
        let timers = timers(&RoundTrip::default(), &Timing::default());

        assert_eq!(timers, [1_000, 2_000, 4_000, 8_000, 16_000, 16_000]);
    }

    // the numbers of RFC 6298, section 2
    #[test]
    fn samples_are_smoothed() {
        let (mut round_trip, timing) = (RoundTrip::default(), Timing::default());

        round_trip.sample(ms(400));
        assert_eq!(round_trip.smoothed, Some((ms(400), ms(200))));
        assert_eq!(timers(&round_trip, &timing), [1_200, 2_400]);

        round_trip.sample(ms(800));
        assert_eq!(round_trip.smoothed, Some((ms(450), ms(250))));
        assert_eq!(timers(&round_trip, &timing), [1_450, 2_900]);

        for _ in 0..100 {
            round_trip.sample(ms(10));
        }
        assert_eq!(timers(&round_trip, &timing), [200, 400, 800]);
    }

    //
    #[test]
    fn the_last_timer_of_a_repeated_request_stays_until_there_is_a_sample() {
        let (mut round_trip, timing) = (RoundTrip::default(), Timing::default());
        round_trip.sample(ms(10));

        round_trip.answered_after(ms(1_600));
        assert_eq!(timers(&round_trip, &timing), [1_600, 3_200]);

        round_trip.sample(ms(10));
        assert_eq!(timers(&round_trip, &timing), [200, 400]);
    }

    //
    #[test]
    fn jitter_changes_repetitions_by_up_to_a_tenth_and_never_the_first_attempt() {
        let (round_trip, timing) = (RoundTrip::default(), Timing::default());
        let timer = |attempt, jitter| round_trip.timer(&timing, attempt, jitter).as_millis();

        assert_eq!((timer(0, 0.0), timer(0, 1.0)), (1_000, 1_000));
        assert_eq!((timer(1, 0.0), timer(1, 1.0)), (1_800, 2_200));
        assert_eq!((timer(4, 0.0), timer(4, 1.0)), (14_400, 16_000));
        let jitter = Jitter::new(7);
        let drawn: Vec<_> = (0..1_000).map(|_| jitter.next()).collect();
        assert!(drawn.iter().all(|number| (0.0..=1.0).contains(number)));
        let mean = drawn.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }

    //
    #[test]
    fn no_number_overflows() {
        let timing = Timing {
            initial: Duration::MAX,
            min: Duration::MAX,
            max: Duration::MAX,
            total: Duration::MAX,
        };
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.timer(&timing, u32::MAX, 1.0), Duration::MAX);
        round_trip.answered_after(Duration::MAX);
        assert_eq!(round_trip.timer(&Timing::default(), 3, 1.0), Duration::from_secs(16));
    }
}
