//! One packet that arrives in chunks.

use std::{collections::BTreeMap, ops::RangeInclusive};

use super::format::{Chunk, SHORTEST, WHOLE};

/// The chunks of a packet that have arrived.
#[derive(Debug)]
pub(crate) struct Assembly {
    /// The number of the last chunk.
    last: u16,
    /// The length of each chunk except the last one. Known as soon as there is one of them.
    len: Option<usize>,
    chunks: BTreeMap<u16, Box<[u8]>>,
    /// All chunks below this number have arrived.
    whole: u32,
    bytes: usize,
}

/// What a chunk is for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is missing.
    New,
    /// It has arrived already.
    Repeated,
    /// It contradicts the others, or the packet would be too long.
    Refused,
}

impl Assembly {
    pub(crate) const fn new(last: u16) -> Self {
        Self { last, len: None, chunks: BTreeMap::new(), whole: 0, bytes: 0 }
    }

    /// Judges a chunk of a packet that may have `limit` bytes.
    pub(crate) fn judge(&self, chunk: &Chunk<'_>, limit: usize) -> Verdict {
        let Chunk { index, last, bytes, .. } = *chunk;
        if last != self.last || !self.fits(index, bytes.len(), limit) {
            Verdict::Refused
        } else if self.chunks.contains_key(&index) {
            Verdict::Repeated
        } else {
            Verdict::New
        }
    }

    /// Adds a chunk that was judged to be new.
    pub(crate) fn insert(&mut self, chunk: &Chunk<'_>) {
        let Chunk { index, last, bytes, .. } = *chunk;
        if index < last {
            self.len = Some(bytes.len());
        }
        self.chunks.insert(index, bytes.into());
        self.bytes += bytes.len();
        while self.whole <= last.into() && self.chunks.contains_key(&(self.whole as u16)) {
            self.whole += 1;
        }
    }

    /// Adds a chunk if it is new.
    pub(crate) fn add(&mut self, chunk: &Chunk<'_>, limit: usize) -> Verdict {
        let verdict = self.judge(chunk, limit);
        if verdict == Verdict::New {
            self.insert(chunk);
        }
        verdict
    }

    /// Whether a chunk of this length agrees with the others, and the packet would not be too long.
    fn fits(&self, index: u16, len: usize, limit: usize) -> bool {
        let end = self.chunks.get(&self.last).map(|end| end.len());
        let (others, end) = if index < self.last {
            (self.len.unwrap_or(len), end.unwrap_or(1))
        } else {
            // As long as the others are not known, they may be short.
            (self.len.unwrap_or_else(|| SHORTEST.max(len)), len)
        };
        let agrees = index == self.last || len == others;
        // In 64 bits, since a Unix datagram may have some MiB.
        let len = u64::from(self.last) * others as u64 + end as u64;
        agrees && end <= others && len <= limit as u64
    }

    /// How many chunks have arrived.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// How many bytes they have.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many chunks the packet has.
    pub(crate) fn total(&self) -> usize {
        usize::from(self.last) + 1
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.chunks() == self.total()
    }

    /// The numbers of the chunks that are missing, as ranges.
    pub(crate) fn missing(&self) -> impl Iterator<Item = RangeInclusive<u16>> {
        let later = u16::try_from(self.whole).ok().map(|whole| self.chunks.range(whole..));
        let later = later.into_iter().flatten().map(|(index, _)| u32::from(*index));
        let ends = later.chain([u32::from(self.last) + 1]);
        let mut next = self.whole;
        ends.filter_map(move |end| {
            let start = std::mem::replace(&mut next, end + 1);
            // Both are at most the number of the last chunk.
            (start < end).then(|| start as u16..=(end - 1) as u16)
        })
    }

    /// The datagram that the packet would be if it was not in chunks. It must be complete.
    pub(crate) fn into_datagram(self) -> Vec<u8> {
        debug_assert!(self.is_complete(), "chunks are missing");
        let mut datagram = Vec::with_capacity(1 + self.bytes);
        datagram.push(WHOLE);
        self.chunks.values().for_each(|bytes| datagram.extend_from_slice(bytes));
        datagram
    }
}

#[cfg(test)]
mod tests {
    use super::{super::format::PacketId, *};

    const LIMIT: usize = 1 << 20;

    fn chunk(index: u16, last: u16, bytes: &[u8]) -> Chunk<'_> {
        Chunk { packet: PacketId { id: 7, number: 1 }, index, last, asks: false, bytes }
    }

    fn ranges(assembly: &Assembly) -> Vec<RangeInclusive<u16>> {
        assembly.missing().collect()
    }

    //
    #[test]
    fn chunks_in_any_order_make_the_packet_once_all_have_arrived() {
        let parts = [vec![1; 600], vec![2; 600], vec![3; 600], vec![4; 5]];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [3, 0, 2, 1], [2, 3, 1, 0]] {
            let mut assembly = Assembly::new(3);
            for (n, index) in order.into_iter().enumerate() {
                assert!(!assembly.is_complete());
                let chunk = chunk(index as u16, 3, &parts[index]);
                assert_eq!(assembly.add(&chunk, LIMIT), Verdict::New);
                assert_eq!(assembly.add(&chunk, LIMIT), Verdict::Repeated);
                assert_eq!(assembly.chunks(), n + 1);
            }
            assert!(assembly.is_complete() && ranges(&assembly).is_empty());
            assert_eq!(assembly.into_datagram(), [vec![WHOLE], parts.concat()].concat());
        }
    }

    //
    #[test]
    fn what_is_missing_is_known() {
        let mut assembly = Assembly::new(u16::MAX);
        assert_eq!(ranges(&assembly), [0..=u16::MAX]);

        for index in [1, 2, 5, u16::MAX - 1] {
            assembly.add(&chunk(index, u16::MAX, &[1; 600]), usize::MAX);
        }
        assert_eq!(ranges(&assembly), [0..=0, 3..=4, 6..=u16::MAX - 2, u16::MAX..=u16::MAX]);

        assembly.add(&chunk(u16::MAX, u16::MAX, b"end"), usize::MAX);
        assembly.add(&chunk(0, u16::MAX, &[1; 600]), usize::MAX);
        assert_eq!(ranges(&assembly), [3..=4, 6..=u16::MAX - 2]);
    }

    //
    #[test]
    fn chunks_that_contradict_the_others_change_nothing() {
        let mut assembly = Assembly::new(3);
        assembly.add(&chunk(1, 3, &[1; 600]), LIMIT);

        assert_eq!(assembly.add(&chunk(0, 2, &[1; 600]), LIMIT), Verdict::Refused);
        assert_eq!(assembly.add(&chunk(0, 3, &[1; 601]), LIMIT), Verdict::Refused);
        assert_eq!(assembly.add(&chunk(3, 3, &[1; 601]), LIMIT), Verdict::Refused);
        assert_eq!((assembly.chunks(), assembly.bytes()), (1, 600));

        // The last one first: the others cannot be shorter.
        let mut assembly = Assembly::new(3);
        assembly.add(&chunk(3, 3, &[1; 700]), LIMIT);
        assert_eq!(assembly.add(&chunk(0, 3, &[1; 600]), LIMIT), Verdict::Refused);
        assert_eq!(assembly.add(&chunk(0, 3, &[1; 700]), LIMIT), Verdict::New);
    }

    //
    #[test]
    fn a_packet_that_would_be_too_long_is_refused_at_its_first_chunk() {
        // 2 * 600 + 1 bytes at least.
        assert_eq!(Assembly::new(2).add(&chunk(0, 2, &[1; 600]), 1_201), Verdict::New);
        assert_eq!(Assembly::new(2).add(&chunk(0, 2, &[1; 600]), 1_200), Verdict::Refused);
        // 2 * 512 + 5 bytes at least.
        assert_eq!(Assembly::new(2).add(&chunk(2, 2, &[1; 5]), 1_029), Verdict::New);
        assert_eq!(Assembly::new(2).add(&chunk(2, 2, &[1; 5]), 1_028), Verdict::Refused);
        let mut exact = Assembly::new(1);
        assert_eq!(exact.add(&chunk(0, 1, &[1; 600]), 700), Verdict::New);
        assert_eq!(exact.add(&chunk(1, 1, &[1; 101]), 700), Verdict::Refused);
        assert_eq!(exact.add(&chunk(1, 1, &[1; 100]), 700), Verdict::New);
    }
}
