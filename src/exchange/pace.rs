//! What one side knows of the time that exchanges take.

use std::hash::{BuildHasher, RandomState};

use crate::timing::{Jitter, RoundTrip};

/// The round-trip time to the other side, and the jitter of timers.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(super) round_trip: RoundTrip,
    pub(super) jitter: Jitter,
}

impl Default for Pace {
    fn default() -> Self {
        let jitter = Jitter::new(RandomState::new().hash_one(0));
        Self { round_trip: RoundTrip::default(), jitter }
    }
}
