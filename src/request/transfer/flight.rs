//! How many chunks are in flight, and how long a round trip takes.

use std::ops::RangeInclusive;

use tokio::time::Instant;

use crate::chunk::{FLIGHT, MAX_FLIGHT};

/// A chunk is lost if this many have arrived that were sent later, as in TCP and QUIC (RFC 9002, section 6.1.1).
pub(super) const OVERTAKEN: usize = 3;

/// How many chunks are sent before the other side has told what has arrived. This is the congestion control of one packet:
/// it doubles while nothing is lost, and halves otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight(usize);

/// The smallest flight. It is large enough to show a loss without a timer.
pub(super) const SMALLEST: usize = OVERTAKEN + 1;

/// Measures a round trip with a chunk that was sent, or asked for, only once. Otherwise nobody would know which of them
/// has been answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// The number of this chunk, or the lowest of several ones.
    pub(super) index: u16,
    pub(super) at: Instant,
}

impl Flight {
    pub(super) const fn new() -> Self {
        Self(FLIGHT)
    }

    pub(super) const fn size(self) -> usize {
        self.0
    }

    /// So many chunks have arrived. If it is all of a flight, the flight doubles.
    pub(super) fn grow_by(&mut self, arrived: usize) {
        self.0 = (self.0 + arrived).min(MAX_FLIGHT);
    }

    pub(super) fn shrink(&mut self) {
        self.0 = (self.0 / 2).max(SMALLEST);
    }

    /// The first chunks of these, as many as may be in flight.
    pub(super) fn first(
        self,
        ranges: impl Iterator<Item = RangeInclusive<u16>>,
    ) -> Vec<RangeInclusive<u16>> {
        let mut left = self.0;
        let mut first = Vec::new();
        for range in ranges {
            let Some(more) = left.checked_sub(1) else { break };
            let end = usize::from(*range.end()).min(usize::from(*range.start()) + more) as u16;
            left -= usize::from(end - range.start()) + 1;
            first.push(*range.start()..=end);
        }
        first
    }
}
