//! Limits how many events there are per second.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Admits at most `per_second` events in any second: an event passes if the one that passed `per_second` events
/// earlier is at least one second old.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    passed: VecDeque<Instant>,
    withheld: u64,
}

impl Limiter {
    pub(super) fn admit(&mut self, now: Instant, per_second: usize) -> Option<Option<u64>> {
        while self.passed.front().is_some_and(|at| now - *at >= Duration::from_secs(1)) {
            self.passed.pop_front();
        }
        if self.passed.len() >= per_second {
            self.withheld += 1;
            return None;
        }
        self.passed.push_back(now);
        Some(self.settle())
    }

    /// Takes back events that were admitted but not logged.
    pub(super) fn withhold(&mut self, events: u64) {
        self.withheld += events;
    }

    pub(super) fn settle(&mut self) -> Option<u64> {
        let withheld = std::mem::take(&mut self.withheld);
        (withheld > 0).then_some(withheld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // H-11, H-12
    #[test]
    fn ten_events_pass_in_a_second_and_the_next_one_reports_how_many_did_not() {
        let mut limiter = Limiter::default();
        let start = Instant::now();

        let told = (0..10_000).filter(|_| limiter.admit(start, 10).is_some()).count();

        assert_eq!(told, 10);
        assert_eq!(limiter.admit(start + Duration::from_millis(999), 10), None);
        assert_eq!(limiter.admit(start + Duration::from_secs(1), 10), Some(Some(9_991)));
        assert_eq!(limiter.admit(start + Duration::from_secs(1), 10), Some(None));
    }

    // H-11
    #[test]
    fn no_interval_of_one_second_has_more_events_than_allowed() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);

        assert!(limiter.admit(at(0), 2).is_some());
        assert!(limiter.admit(at(900), 2).is_some());
        assert!(limiter.admit(at(1_000), 2).is_some());
        assert!(limiter.admit(at(1_100), 2).is_none());
        assert!(limiter.admit(at(1_900), 2).is_some());
    }
}
