//! Shows to other threads whether the loop of a worker turns.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that changes whenever the loop of a worker turns. Only the worker writes it.
#[derive(Debug, Default)]
pub(crate) struct Pulse(AtomicU64);

/// What a [`Pulse`] shows at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat(u64);

/// Set while handlers run on the thread of the worker.
const WORKS: u64 = 1;
const ONE: u64 = 2;

impl Pulse {
    /// The loop has turned.
    #[inline]
    pub(crate) fn beat(&self) {
        // Nobody else writes, so two plain steps are enough.
        self.0.store((self.0.load(Relaxed) & !WORKS).wrapping_add(ONE), Relaxed);
    }

    /// Handlers begin to run.
    #[inline]
    pub(crate) fn begin_work(&self) {
        self.0.store((self.0.load(Relaxed) & !WORKS).wrapping_add(ONE) | WORKS, Relaxed);
    }

    /// No loop turns any more.
    pub(crate) fn stop(&self) {
        self.0.store(0, Relaxed);
    }

    /// Returns `None` if no loop turns.
    pub(crate) fn now(&self) -> Option<Beat> {
        Some(self.0.load(Relaxed)).filter(|beat| *beat != 0).map(Beat)
    }
}

impl Beat {
    /// Whether handlers run on the thread of the worker.
    pub(crate) const fn works(self) -> bool {
        self.0 & WORKS != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O-14
    #[test]
    fn each_turn_and_each_round_of_work_changes_the_pulse() {
        let pulse = Pulse::default();
        assert_eq!(pulse.now(), None);
        let mut seen = Vec::new();
        for _ in 0..3 {
            pulse.beat();
            seen.push(pulse.now().unwrap());
            pulse.begin_work();
            seen.push(pulse.now().unwrap());
            assert!(pulse.now().unwrap().works());
        }
        pulse.beat();
        seen.push(pulse.now().unwrap());

        assert!(!pulse.now().unwrap().works());
        for (n, beat) in seen.iter().enumerate() {
            assert!(!seen[..n].contains(beat), "{seen:?}");
        }
        pulse.stop();
        assert_eq!(pulse.now(), None);
    }
}
