//! A request that is sent in chunks.

use std::{mem, ops::RangeInclusive};

use tokio::time::Instant;

use super::flight::{Flight, Timing};
use crate::chunk::{Missing, PacketId, Splitter};

/// A request that is sent in chunks.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) packet: PacketId,
    pub(super) longest: usize,
    /// What the server has not received, as far as is known.
    pub(super) missing: Vec<RangeInclusive<u16>>,
    pub(super) flight: Flight,
    /// Whether one chunk asks what is missing, because a timer has expired.
    pub(super) probing: bool,
    /// How many chunks were sent at least once.
    pub(super) reached: u16,
    pub(super) timing: Option<Timing>,
}

impl Upload {
    pub(super) fn new(packet: PacketId, datagram: &[u8], longest: usize) -> Self {
        let missing = vec![0..=Splitter::new(packet, datagram, longest).last()];
        let flight = Flight::new();
        Self { packet, longest, missing, flight, probing: false, reached: 0, timing: None }
    }

    /// The first chunks that the server has not received. The last one asks what is still missing.
    pub(super) fn next_flight(&mut self, datagram: &[u8], now: Instant) -> Vec<Vec<u8>> {
        let splitter = Splitter::new(self.packet, datagram, self.longest);
        let flight = self.flight.first(self.missing.iter().cloned());
        let last = flight.last().map(|range| *range.end());
        self.timing =
            last.filter(|last| *last >= self.reached).map(|index| Timing { index, at: now });
        self.reached = self.reached.max(last.map_or(0, |last| last.saturating_add(1)));
        let chunk = |index| splitter.chunk(index, Some(index) == last);
        flight.into_iter().flatten().filter_map(chunk).collect()
    }

    /// One chunk that asks what is missing. As a repetition, it also makes the server send its reply again.
    pub(super) fn probe(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.flight.shrink();
        self.probing = true;
        self.timing = None;
        let index = self.missing.first().map_or(0, |range| *range.start());
        Splitter::new(self.packet, datagram, self.longest).chunk(index, true)
    }

    /// Takes the list of the server. Returns false if it tells nothing new.
    pub(super) fn told(&mut self, missing: &Missing<'_>) -> bool {
        let ranges: Vec<_> = missing.ranges().collect();
        let probed = mem::take(&mut self.probing);
        // The network may duplicate the list, and one flight is enough.
        if !probed && ranges == self.missing {
            return false;
        }
        if ranges.first().is_some_and(|range| *range.start() >= self.reached) {
            self.flight.grow();
        } else if !probed {
            self.flight.shrink();
        }
        self.missing = ranges;
        true
    }
}
