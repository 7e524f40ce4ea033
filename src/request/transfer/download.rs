//! A response that arrives in chunks.

use tokio::time::Instant;

use super::flight::{Flight, OVERTAKEN, Timing};
use crate::chunk::{Assembly, Chunk, FLIGHT, PacketId, missing};

/// A response that arrives in chunks.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) packet: PacketId,
    pub(super) assembly: Assembly,
    pub(super) flight: Flight,
    /// The chunks that are on their way, in the order in which the server sends them, and how many of the later ones have
    /// arrived.
    pub(super) expected: Vec<(u16, usize)>,
    /// Whether one of the last flight is lost.
    pub(super) lost: bool,
    /// The chunks below this number were asked for.
    pub(super) reached: u16,
    pub(super) timing: Option<Timing>,
    /// Whether chunks were asked for.
    has_asked: bool,
    pub(super) since: Instant,
}

impl Download {
    pub(super) fn new(chunk: &Chunk<'_>, now: Instant) -> Self {
        let assembly = Assembly::new(chunk.last);
        // The server has sent these without being asked.
        let reached = assembly.total().min(FLIGHT) as u16;
        Self {
            packet: chunk.packet,
            assembly,
            flight: Flight::new(),
            expected: (0..reached).map(|index| (index, 0)).collect(),
            lost: false,
            reached,
            timing: None,
            has_asked: false,
            since: now,
        }
    }

    /// A chunk has arrived. Asks for the next ones if no other is on its way.
    pub(super) fn arrived(&mut self, index: u16, now: Instant) -> Option<Vec<u8>> {
        let at = self.expected.iter().position(|(expected, _)| *expected == index)?;
        self.expected.remove(at);
        self.expected[..at].iter_mut().for_each(|(_, later)| *later += 1);
        let on_their_way = self.expected.len();
        self.expected.retain(|(_, later)| *later < OVERTAKEN);
        self.lost |= self.expected.len() < on_their_way;
        self.expected.is_empty().then(|| {
            if self.lost {
                self.flight.shrink();
            } else {
                self.flight.grow_by(self.flight.size());
            }
            self.ask(Some(now))
        })
    }

    /// Asks for what is missing after a timer has expired.
    pub(super) fn resume(&mut self) -> Vec<u8> {
        self.flight.shrink();
        self.ask(None)
    }

    /// Asks once more for what is on its way. The server has dropped the list. Returns `None` if nothing was asked for.
    pub(super) fn again(&mut self) -> Option<Vec<u8>> {
        self.timing = None;
        let missing_chunks = || self.flight.first(self.assembly.missing()).into_iter();
        self.has_asked.then(|| missing(self.packet, missing_chunks(), usize::MAX))
    }

    /// Asks for the first chunks that are missing. Their first one shows the round-trip time, if the time is known.
    pub(super) fn ask(&mut self, now: Option<Instant>) -> Vec<u8> {
        self.has_asked = true;
        let flight = self.flight.first(self.assembly.missing());
        self.expected = flight.iter().cloned().flatten().map(|index| (index, 0)).collect();
        self.lost = false;
        let index = self.reached;
        self.reached = self
            .expected
            .iter()
            .fold(index, |reached, (asked, _)| reached.max(asked.saturating_add(1)));
        self.timing = now.filter(|_| self.reached > index).map(|at| Timing { index, at });
        missing(self.packet, flight.into_iter(), usize::MAX)
    }
}
