//! What the new process of a hand-over remembers of the peers of one socket that are in conversation with the old one.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use super::Kept;
use crate::Addr;

/// The most datagrams, and the most bytes, that one socket holds until the old process has returned earlier ones.
const MOST_HELD: usize = 4_096;
const MOST_HELD_BYTES: usize = 4 << 20;

/// The peers of one socket that are in conversation with the old process, and the datagrams that come from it.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Whether the old process has stopped reading, so that this one may read.
    begun: bool,
    /// Whether the old process is gone.
    gone: bool,
    peers: HashMap<Addr, Peer>,
    /// What was read of peers whose datagrams come back from the old process, in all.
    held: usize,
    held_bytes: usize,
    /// Datagrams for this process.
    ready: VecDeque<Kept>,
}

#[derive(Debug)]
enum Peer {
    /// It is in conversation with the old process, which was sent so many of its datagrams.
    Passed { sent: u64 },
    /// Its conversations there have ended. So many of its datagrams are still to come back. What was read meanwhile is held.
    Returning { left: u64, held: VecDeque<Kept> },
}

/// What is to be done with a datagram that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// This process serves it.
    Ours,
    /// It belongs to the old process.
    Theirs(Kept),
    /// It waits for earlier ones of its peer.
    Held,
    /// There is no room to hold it.
    NoRoom,
}

impl Table {
    /// Adds peers that are in conversation with the old process.
    pub(super) fn add(&mut self, peers: Vec<Addr>) {
        let passed = peers.into_iter().map(|peer| (peer, Peer::Passed { sent: 0 }));
        self.peers.extend(passed);
    }

    /// The old process has stopped reading.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether nothing comes from the old process any more, and nothing belongs to it.
    pub(super) fn is_done(&self) -> bool {
        self.gone && self.peers.is_empty() && self.ready.is_empty()
    }

    /// Decides about a datagram that was read from the socket. `kept` makes a copy.
    pub(super) fn arrived(&mut self, from: &Addr, kept: impl FnOnce() -> Kept) -> Arrived {
        match self.peers.get_mut(from) {
            None if self.ready.is_empty() => Arrived::Ours,
            // What has come back since the socket was read may be older.
            None => {
                self.ready.push_back(kept());
                Arrived::Held
            }
            Some(Peer::Passed { .. }) => Arrived::Theirs(kept()),
            Some(Peer::Returning { held, .. }) => {
                let kept = kept();
                if self.held >= MOST_HELD || self.held_bytes + kept.bytes.len() > MOST_HELD_BYTES {
                    return Arrived::NoRoom;
                }
                self.held += 1;
                self.held_bytes += kept.bytes.len();
                held.push_back(kept);
                Arrived::Held
            }
        }
    }

    /// A datagram of this peer is on its way to the old process.
    pub(super) fn sent(&mut self, to: &Addr) {
        if let Some(Peer::Passed { sent }) = self.peers.get_mut(to) {
            *sent += 1;
        }
    }

    /// The conversations of a peer have ended in the old process, which has taken `taken` of its datagrams. It returns
    /// `returned` that nobody has received, and those that it has not taken.
    pub(super) fn ended(&mut self, peer: &Addr, taken: u64, returned: u64) {
        let Some(state) = self.peers.get_mut(peer) else { return };
        if let Peer::Passed { sent } = *state {
            let left = returned + sent.saturating_sub(taken);
            *state = Peer::Returning { left, held: VecDeque::new() };
            self.settle(peer.clone(), 0);
        }
    }

    /// The old process has returned a datagram.
    pub(super) fn returned(&mut self, datagram: Kept) {
        let from = datagram.from.clone();
        self.ready.push_back(datagram);
        self.settle(from, 1);
    }

    /// So many more datagrams of this peer have come back. If all have, this process serves the peer.
    fn settle(&mut self, peer: Addr, back: u64) {
        let Entry::Occupied(mut entry) = self.peers.entry(peer) else { return };
        let Peer::Returning { left, held } = entry.get_mut() else { return };
        *left = left.saturating_sub(back);
        if *left == 0 {
            let mut held = std::mem::take(held);
            entry.remove();
            self.release(&mut held);
        }
    }

    fn release(&mut self, held: &mut VecDeque<Kept>) {
        self.held -= held.len();
        self.held_bytes -= held.iter().map(|kept| kept.bytes.len()).sum::<usize>();
        self.ready.append(held);
    }

    /// The old process is gone: this one serves all peers.
    pub(super) fn gone(&mut self) {
        (self.begun, self.gone) = (true, true);
        for (_, peer) in std::mem::take(&mut self.peers) {
            if let Peer::Returning { mut held, .. } = peer {
                self.release(&mut held);
            }
        }
    }

    /// Takes the next datagram for this process.
    pub(super) fn next_ready(&mut self) -> Option<Kept> {
        self.ready.pop_front()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether some peers belong to the old process, or are about to come back.
    pub(super) fn has_peers(&self) -> bool {
        !self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests;
