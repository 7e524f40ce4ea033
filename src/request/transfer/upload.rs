//! A request that is sent in chunks.

use std::{mem, ops::RangeInclusive, time::Duration};

use tokio::time::Instant;

use super::flight::{Flight, OVERTAKEN, Timing};
use crate::chunk::{Missing, PacketId, Splitter, ranges_in};

/// A request that is sent in chunks.
#[derive(Debug)]
pub(super) struct Upload {
    packet: PacketId,
    longest: usize,
    /// What the server has not received, as far as is known.
    missing: Vec<RangeInclusive<u16>>,
    /// Whether nothing else is missing.
    is_whole: bool,
    /// The chunks that are on their way, in the order in which they were sent.
    on_their_way: Vec<u16>,
    flight: Flight,
    /// Whether one chunk asks what is missing, because a timer has expired.
    probing: bool,
    /// How long the last chunk was that asks.
    asked: usize,
    /// How many chunks were sent at least once.
    reached: u16,
    timing: Option<Timing>,
}

/// The server has told something new.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) round_trip: Option<Duration>,
}

impl Upload {
    pub(super) fn new(packet: PacketId, datagram: &[u8], longest: usize) -> Self {
        Self {
            packet,
            longest,
            missing: vec![0..=Splitter::new(packet, datagram, longest).last()],
            is_whole: true,
            on_their_way: Vec::new(),
            flight: Flight::new(),
            probing: false,
            asked: 0,
            reached: 0,
            timing: None,
        }
    }

    /// The next chunks that are missing and not on their way. The one that is sent last asks what is still missing.
    pub(super) fn next_flight(&mut self, datagram: &[u8], now: Instant) -> Vec<Vec<u8>> {
        let splitter = Splitter::new(self.packet, datagram, self.longest);
        // One at least, because the server tells nothing if no chunk asks.
        let room = self.flight.size().saturating_sub(self.on_their_way.len()).max(1);
        let missing = self.missing.iter().cloned().flatten();
        let missing = missing.filter(|index| !self.on_their_way.contains(index));
        let mut indexes: Vec<_> = missing.take(room).collect();
        let Some(&highest) = indexes.last() else { return Vec::new() };
        if let [.., full, last] = &mut indexes[..]
            && *last == splitter.last()
        {
            // The last chunk may be short, and then it has room for a short answer only.
            mem::swap(full, last);
        }
        let asks = indexes[indexes.len() - 1];
        self.timing = (asks >= self.reached).then_some(Timing { index: asks, at: now });
        self.reached = self.reached.max(highest.saturating_add(1));
        self.on_their_way.extend(&indexes);
        let chunk = |index: u16| splitter.chunk(index, index == asks);
        let chunks: Vec<_> = indexes.into_iter().filter_map(chunk).collect();
        self.asked = chunks.last().map_or(0, Vec::len);
        chunks
    }

    /// One chunk that asks what is missing. As a repetition, it also makes the server send its reply again. What was on
    /// its way is lost.
    pub(super) fn probe(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.flight.shrink();
        self.probing = true;
        self.timing = None;
        self.on_their_way.clear();
        let index = self.missing.first().map_or(0, |range| *range.start());
        let chunk = Splitter::new(self.packet, datagram, self.longest).chunk(index, true);
        self.asked = chunk.as_ref().map_or(0, Vec::len);
        chunk
    }

    /// The chunks that are on their way, once more. The server has dropped them.
    pub(super) fn again(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.timing = None;
        let first = self.missing.first().filter(|_| self.probing).map(|range| *range.start());
        let indexes = self.on_their_way.iter().copied().chain(first);
        let indexes: Vec<_> = indexes.collect();
        let splitter = Splitter::new(self.packet, datagram, self.longest);
        let asks = indexes.len().saturating_sub(1);
        let chunk = |(at, index)| splitter.chunk(index, at == asks);
        let chunks: Vec<_> = indexes.into_iter().enumerate().filter_map(chunk).collect();
        self.asked = chunks.last().map_or(self.asked, Vec::len);
        chunks
    }

    /// Takes a list of the server. Returns `None` if it tells nothing new.
    pub(super) fn told(&mut self, missing: &Missing<'_>, now: Instant) -> Option<Told> {
        if missing.packet != self.packet {
            return None;
        }
        let ranges: Vec<_> = missing.ranges().collect();
        let probed = mem::take(&mut self.probing);
        // The network may duplicate a list, or deliver an old one late. Only after a probe, the server may have forgotten
        // what it had.
        if !probed && (ranges == self.missing || !self.includes(&ranges)) {
            return None;
        }
        let end = ranges.last().map_or(0, |range| *range.end());
        self.is_whole = ranges.len() < ranges_in(self.asked);
        self.missing = ranges;
        let timing = self
            .timing
            .take_if(|timing| has_arrived(&self.missing, self.is_whole, end, timing.index));
        let (arrived, lost) = self.judge(end);
        if lost {
            self.flight.shrink();
        } else if !probed {
            self.flight.grow_by(arrived);
        }
        Some(Told { round_trip: timing.map(|timing| now - timing.at) })
    }

    /// Whether everything that is missing now was missing before.
    fn includes(&self, ranges: &[RangeInclusive<u16>]) -> bool {
        let known = self.missing.last().map_or(0, |range| *range.end());
        ranges.iter().all(|new| {
            let within =
                |old: &RangeInclusive<u16>| old.start() <= new.start() && new.end() <= old.end();
            self.missing.iter().any(within) || !self.is_whole && *new.start() > known
        })
    }

    /// Decides about the chunks on their way, after a list that ends with chunk `end`. Returns how many have arrived, and
    /// whether one is lost.
    fn judge(&mut self, end: u16) -> (usize, bool) {
        let (missing, is_whole) = (&self.missing, self.is_whole);
        let (mut arrived, mut lost) = (0, false);
        let mut left: Vec<_> = self
            .on_their_way
            .iter()
            .rev()
            .copied()
            .filter(|index| {
                if has_arrived(missing, is_whole, end, *index) {
                    arrived += 1;
                    return false;
                }
                let is_lost = arrived >= OVERTAKEN;
                lost |= is_lost;
                !is_lost
            })
            .collect();
        left.reverse();
        self.on_their_way = left;
        (arrived, lost)
    }
}

/// Whether a chunk has arrived, after a list that ends with chunk `end`. Unless the list is whole, it tells nothing about
/// later ones.
fn has_arrived(missing: &[RangeInclusive<u16>], is_whole: bool, end: u16, index: u16) -> bool {
    (is_whole || index <= end) && !missing.iter().any(|range| range.contains(&index))
}
