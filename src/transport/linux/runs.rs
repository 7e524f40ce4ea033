//! Finds replies that can leave together: a run of equal length to one peer becomes one segmented send.

use std::net::SocketAddr;

use crate::{
    addr::{Addr, Repr},
    transport::SendBatch,
};

/// The most segments of one send, and the most bytes in total, that every kernel accepts.
const MOST_SEGMENTS: u16 = 64;
const MOST_BYTES: u32 = 65_000;

/// Datagrams that leave as one message: several segments, or one plain datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u16,
    last: u16,
    pub(super) segments: u16,
    /// The length of each segment, except the last, which may be shorter.
    pub(super) segment: u16,
    bytes: u32,
    /// Whether no segment can follow, because the last one is shorter.
    ended: bool,
}

/// A batch, sorted into runs. Datagrams to one peer keep their order; datagrams to different peers may be
/// reordered.
#[derive(Debug)]
pub(super) struct Runs {
    runs: Vec<Run>,
    /// For each datagram, the next one of its run.
    next: Vec<u16>,
    /// The newest run of a peer, by a few bits of a hash. If peers collide, fewer datagrams are merged,
    /// without other effects.
    newest: [u16; BUCKETS],
}

impl Default for Runs {
    fn default() -> Self {
        Self { runs: Vec::new(), next: Vec::new(), newest: [NONE; BUCKETS] }
    }
}

/// The number of entries of `newest`, one per hash: four times the datagrams of a batch, so that collisions
/// are rare.
const BUCKETS: usize = 1 << u8::BITS;
const NONE: u16 = u16::MAX;

impl Runs {
    /// Sorts `batch`, with segments of up to `limit` bytes.
    pub(super) fn sort(&mut self, batch: &SendBatch, limit: usize) {
        self.clear(batch.len());
        for (i, (to, datagram)) in batch.iter().enumerate() {
            let len = datagram.len();
            let same = |first: usize| batch.get(first).0.has_same_destination(to);
            self.add(i, hash(&to.peer), len, |first| len <= limit && same(first));
        }
    }

    /// Makes room for `count` datagrams.
    fn clear(&mut self, count: usize) {
        self.runs.clear();
        self.next.clear();
        self.next.resize(count, NONE);
        self.newest.fill(NONE);
    }

    /// Adds datagram number `at` of the batch. It has `len` bytes, and the address of its peer hashes to
    /// `hash`. `same_peer(i)` returns whether datagram `i` goes to the same peer.
    #[inline]
    fn add(&mut self, at: usize, hash: u8, len: usize, same_peer: impl Fn(usize) -> bool) {
        let at = at as u16;
        let newest = &mut self.newest[usize::from(hash)];
        if let Some(run) = self.runs.get_mut(usize::from(*newest))
            && run.takes(len)
            && same_peer(usize::from(run.first))
        {
            self.next[usize::from(run.last)] = at;
            run.last = at;
            run.segments += 1;
            run.bytes += len as u32;
            run.ended = len < usize::from(run.segment);
            return;
        }
        *newest = self.runs.len() as u16;
        let segment = len as u16;
        // An empty datagram cannot be a segment.
        let ended = len == 0;
        self.runs.push(Run { first: at, last: at, segments: 1, segment, bytes: len as u32, ended });
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The datagrams of a run, in order.
    pub(super) fn datagrams(&self, run: &Run) -> impl Iterator<Item = usize> {
        let mut next = run.first;
        std::iter::from_fn(move || {
            let at = usize::from(next);
            next = *self.next.get(at)?;
            Some(at)
        })
    }
}

impl Run {
    fn takes(&self, len: usize) -> bool {
        !self.ended
            && (1..=usize::from(self.segment)).contains(&len)
            && self.segments < MOST_SEGMENTS
            && self.bytes + len as u32 <= MOST_BYTES
    }
}

/// A hash of a few bits of the destination, which is different for most of them.
fn hash(peer: &Addr) -> u8 {
    let bits = match &peer.0 {
        Repr::Ip(SocketAddr::V4(v4)) => u64::from(v4.ip().to_bits()) ^ u64::from(v4.port()),
        Repr::Ip(SocketAddr::V6(v6)) => v6.ip().to_bits() as u64 ^ u64::from(v6.port()),
        Repr::Rare(_) => u64::from(peer.ip_socket().port()),
    };
    // The golden ratio spreads adjacent addresses and ports.
    let spread = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (spread >> 32) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorts datagrams, each a peer and a length, and returns the runs.
    fn runs(datagrams: &[(usize, usize)]) -> Vec<Vec<usize>> {
        let mut runs = Runs::default();
        runs.clear(datagrams.len());
        for (i, &(peer, len)) in datagrams.iter().enumerate() {
            runs.add(i, peer as u8, len, |first| datagrams[first].0 == peer);
        }
        runs.runs().iter().map(|run| runs.datagrams(run).collect()).collect()
    }

    // S-12
    #[test]
    fn datagrams_of_one_length_to_one_peer_leave_together_even_with_others_in_between() {
        let datagrams = [(1, 32), (2, 32), (1, 32), (3, 32), (2, 32), (1, 32)];

        assert_eq!(runs(&datagrams), [vec![0, 2, 5], vec![1, 4], vec![3]]);
    }

    // S-12, S-4
    #[test]
    fn a_shorter_datagram_ends_a_run_and_a_longer_one_begins_another() {
        let datagrams = [(1, 32), (1, 32), (1, 8), (1, 32), (1, 64), (1, 64)];

        assert_eq!(runs(&datagrams), [vec![0, 1, 2], vec![3], vec![4, 5]]);
    }

    // D-11, S-12
    #[test]
    fn a_datagram_without_bytes_is_a_message_of_its_own() {
        assert_eq!(runs(&[(1, 8), (1, 0), (1, 8), (1, 0)]), [vec![0], vec![1], vec![2], vec![3]]);
    }

    // S-12
    #[test]
    fn no_run_is_longer_than_the_kernel_accepts() {
        let small = vec![(1, 8); 200];
        let large = vec![(1, 9_000); 20];

        assert_eq!(runs(&small).iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 64, 8]);
        assert_eq!(runs(&large).iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
    }

    // S-4
    #[test]
    fn peers_whose_hashes_collide_keep_their_order() {
        let datagrams = [(1, 32), (1 + BUCKETS, 32), (1, 32), (1, 32)];

        assert_eq!(runs(&datagrams), [vec![0], vec![1], vec![2, 3]]);
    }
}
