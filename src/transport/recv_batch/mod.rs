//! Datagrams that were received together.

#[cfg(unix)]
mod kept;
mod remove;
mod sift;

use std::ops::Range;

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use super::LONGEST;
use super::{Ancillary, BATCH, Passed};
use crate::Addr;

/// Datagrams that were received together, in one buffer.
#[derive(Debug)]
pub(crate) struct RecvBatch {
    bytes: Vec<u8>,
    used: usize,
    /// The bytes of all datagrams together.
    total: usize,
    limit: usize,
    arrived: Vec<(Addr, Range<usize>)>,
    /// A datagram that was put together from several ones. Its range begins at the end of `bytes`.
    whole: Vec<u8>,
    /// The ancillary data of the datagrams, up to the last one that has any.
    ancillary: Vec<Ancillary>,
    /// The descriptors and credentials that came with datagrams, by the numbers of the datagrams.
    passed: Vec<(usize, Passed)>,
    /// For each datagram that was too long: the number of datagrams before it, and its source, if that is
    /// known.
    truncated: Vec<(usize, Option<Addr>)>,
}

impl RecvBatch {
    /// A batch for datagrams of up to `limit` bytes. It takes memory for several of them, so the limit must
    /// not be larger than the longest datagram of the [transport](super::Transport::longest).
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            used: 0,
            total: 0,
            limit,
            arrived: Vec::new(),
            whole: Vec::new(),
            ancillary: Vec::new(),
            passed: Vec::new(),
            truncated: Vec::new(),
        }
    }

    /// Returns memory for one more datagram, or `None` when the batch is full.
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        if self.bytes.is_empty() {
            // One byte more than the limit shows whether a datagram of the limit's length was longer. A batch
            // holds four of the largest datagrams, or 64 of up to 3 KiB. Pages that are never touched cost no
            // memory.
            self.bytes = vec![0; 4 * (self.limit + 1)];
        }
        if self.is_full() {
            return None;
        }
        self.bytes[self.used..].get_mut(..=self.limit)
    }

    /// Adds a datagram. Its first `len` bytes were written to [`room`](Self::room).
    pub(crate) fn push(&mut self, from: Addr, len: usize) {
        if len > self.limit {
            self.push_truncated(Some(from));
            return;
        }
        self.arrived.push((from, self.used..self.used + len));
        self.used += len;
        self.total += len;
    }

    /// Counts a datagram that is longer than the limit.
    #[cold]
    pub(crate) fn push_truncated(&mut self, from: Option<Addr>) {
        self.truncated.push((self.arrived.len(), from));
    }

    /// Counts all datagrams after the first `whole` ones as longer than the limit.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    pub(super) fn truncate(&mut self, whole: usize) {
        for (behind, _) in &mut self.truncated {
            *behind = whole.min(*behind);
        }
        let others = self.arrived.drain(whole.min(self.arrived.len())..);
        let others = others.inspect(|(_, bytes)| self.total -= bytes.end - bytes.start);
        self.truncated.extend(others.map(|(from, _)| (whole, Some(from))));
    }

    /// Returns memory for at least `count` messages, and the length of each slot: one byte more than the
    /// limit of a datagram. If the kernel may have `merged` datagrams, a slot is one byte longer than the
    /// longest message. The batch must be empty.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    pub(super) fn slots(&mut self, count: usize, merged: bool) -> (&mut [u8], usize) {
        let slot = if merged { LONGEST + 1 } else { self.limit + 1 };
        if self.bytes.len() < count * slot {
            // Pages that are never touched cost no memory.
            self.bytes = vec![0; count * slot];
        }
        (&mut self.bytes, slot)
    }

    /// The size of the buffer in bytes.
    #[cfg(all(test, target_os = "linux", not(datagrammar_portable)))]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes the datagrams have together.
    pub(crate) const fn total(&self) -> u64 {
        self.total as u64
    }

    /// Adds the datagram that was written to the `bytes`.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    #[inline]
    pub(super) fn push_at(&mut self, from: Addr, bytes: Range<usize>) {
        if bytes.end - bytes.start > self.limit {
            self.push_truncated(Some(from));
        } else {
            self.total += bytes.end - bytes.start;
            self.arrived.push((from, bytes));
        }
    }

    /// Adds the datagrams that the kernel has merged into the `bytes`. Each has `segment` bytes, and the last
    /// may have fewer. If `segment` is 0, the borders between them are unknown.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    pub(super) fn push_segments(
        &mut self,
        from: &Addr,
        ancillary: Ancillary,
        bytes: Range<usize>,
        segment: usize,
    ) {
        if segment == 0 {
            self.push_truncated(Some(from.clone()));
            return;
        }
        let mut start = bytes.start;
        loop {
            let end = start.saturating_add(segment).min(bytes.end);
            if ancillary != Ancillary::default() && end - start <= self.limit {
                self.ancillary.resize(self.arrived.len(), Ancillary::default());
                self.ancillary.push(ancillary);
            }
            self.push_at(from.clone(), start..end);
            if end == bytes.end {
                return;
            }
            start = end;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.arrived.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.truncated.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        let no_room = !self.bytes.is_empty() && self.bytes.len() - self.used <= self.limit;
        no_room || self.arrived.len() + self.truncated.len() >= BATCH
    }

    /// Whether there are probably more where these came from: no system call returns more.
    pub(crate) fn has_many(&self) -> bool {
        self.arrived.len() >= BATCH / 2 || self.is_full()
    }

    /// The source of datagram number `index`.
    pub(crate) fn from(&self, index: usize) -> &Addr {
        &self.arrived[index].0
    }

    /// The ancillary data of datagram number `index`.
    pub(crate) fn ancillary(&self, index: usize) -> Ancillary {
        self.ancillary.get(index).copied().unwrap_or_default()
    }

    /// The bytes of datagram number `index`.
    pub(crate) fn datagram(&self, index: usize) -> &[u8] {
        let range = self.arrived[index].1.clone();
        self.bytes.get(range).unwrap_or_else(|| self.whole())
    }

    #[cold]
    fn whole(&self) -> &[u8] {
        &self.whole
    }

    /// Replaces datagram number `index` by one that was put together from several ones. There is one at a time.
    pub(crate) fn replace(&mut self, index: usize, datagram: Vec<u8>) {
        let start = self.bytes.len();
        self.arrived[index].1 = start..start + datagram.len();
        self.whole = datagram;
    }

    /// Adds a datagram that was received earlier, to an empty batch.
    pub(crate) fn restore(&mut self, from: Addr, ancillary: Ancillary, datagram: Vec<u8>) {
        self.arrived.push((from, 0..0));
        self.ancillary.push(ancillary);
        self.replace(0, datagram);
    }

    /// Removes the first bytes of datagram number `index`, which has at least as many.
    pub(crate) fn strip(&mut self, index: usize, bytes: usize) {
        self.arrived[index].1.start += bytes;
    }

    /// How many datagrams are not in the batch because they were longer than the limit.
    pub(crate) fn truncated(&self) -> usize {
        self.truncated.len()
    }

    /// For number `i` of the datagrams that were too long: how many datagrams of the batch came before it,
    /// and its source, if that is known.
    pub(crate) fn truncated_behind(&self, i: usize) -> Option<(usize, Option<&Addr>)> {
        self.truncated.get(i).map(|(behind, from)| (*behind, from.as_ref()))
    }

    pub(crate) fn clear(&mut self) {
        self.arrived.clear();
        self.ancillary.clear();
        self.passed.clear();
        (self.used, self.total) = (0, 0);
        self.truncated.clear();
        self.whole = Vec::new();
    }
}

impl RecvBatch {
    /// Adds what came with the last datagram.
    #[cfg(unix)]
    pub(super) fn attach(&mut self, passed: Option<Passed>) {
        if let Some(passed) = passed {
            self.passed.push((self.arrived.len() - 1, passed));
        }
    }

    /// How many descriptors came with the datagrams of the batch.
    #[cfg(unix)]
    pub(super) fn fds(&self) -> usize {
        self.passed.iter().map(|(_, passed)| passed.fds.len()).sum()
    }

    /// Whether something came with the datagrams besides their bytes.
    #[inline]
    pub(crate) const fn has_passed(&self) -> bool {
        !self.passed.is_empty()
    }

    /// Takes what came with datagram number `index`.
    #[cold]
    pub(crate) fn take_passed(&mut self, index: usize) -> Option<Box<Passed>> {
        let at = self.passed.iter().position(|(at, _)| *at == index)?;
        Some(Box::new(self.passed.swap_remove(at).1))
    }
}

#[cfg(all(test, target_os = "linux", not(datagrammar_portable)))]
mod segments {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    fn split(limit: usize, len: usize, segment: usize) -> (Vec<usize>, usize) {
        let mut batch = RecvBatch::new(limit);
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into();
        batch.slots(1, true);
        batch.push_segments(&from, Ancillary::default(), 0..len, segment);
        ((0..batch.len()).map(|i| batch.datagram(i).len()).collect(), batch.truncated())
    }

    // D-17
    #[test]
    fn merged_datagrams_are_split_where_they_end_and_the_last_may_be_shorter() {
        assert_eq!(split(100, 96, 32), (vec![32, 32, 32], 0));
        assert_eq!(split(100, 70, 32), (vec![32, 32, 6], 0));
        assert_eq!(split(100, 32, usize::MAX), (vec![32], 0));
        assert_eq!(split(100, 0, usize::MAX), (vec![0], 0));
    }

    // R-5, D-17
    #[test]
    fn merged_datagrams_of_unknown_length_are_not_split() {
        assert_eq!(split(100, 96, 0), (vec![], 1));
    }

    // R-12, D-17
    #[test]
    fn each_of_the_merged_datagrams_meets_the_limit_by_itself() {
        assert_eq!(split(16, 70, 32), (vec![6], 2));
    }

    // R-12, S-2
    #[test]
    fn ancillary_data_stays_with_its_datagrams_when_others_are_left_out() {
        let told =
            |byte: u8| Ancillary { traffic_class: Some(byte.into()), ..Ancillary::default() };
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into();
        let mut batch = RecvBatch::new(16);
        batch.slots(1, true);

        batch.push_at(Addr::clone(&from), 0..8);
        batch.push_segments(&from, told(1), 8..46, 32); // the first is too long
        batch.push_segments(&from, Ancillary::default(), 46..54, 8);
        batch.push_segments(&from, told(2), 54..70, 8);

        let all: Vec<_> = (0..batch.len()).map(|i| batch.ancillary(i)).collect();
        let nothing = Ancillary::default();
        assert_eq!(all, [nothing, told(1), nothing, told(2), told(2)]);
        batch.clear();
        batch.push_at(from, 0..8);
        assert_eq!(batch.ancillary(0), nothing);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    fn peer(port: u16) -> Addr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
    }

    fn receive(batch: &mut RecvBatch, from: u16, datagram: &[u8]) {
        let room = batch.room().unwrap();
        let len = datagram.len().min(room.len());
        room[..len].copy_from_slice(&datagram[..len]);
        batch.push(peer(from), len);
    }

    //
    #[test]
    fn a_datagram_of_exactly_the_limit_is_whole_and_a_longer_one_is_counted() {
        let mut batch = RecvBatch::new(4);

        receive(&mut batch, 1, b"1234");
        receive(&mut batch, 2, b"12345");
        receive(&mut batch, 3, b"12");

        assert_eq!((batch.len(), batch.truncated()), (2, 1));
        assert_eq!((batch.from(0), batch.datagram(0)), (&peer(1), &b"1234"[..]));
        assert_eq!((batch.from(1), batch.datagram(1)), (&peer(3), &b"12"[..]));
    }

    // R-5, G-9
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    #[test]
    fn datagrams_of_unknown_length_are_counted_after_the_known_ones() {
        let mut batch = RecvBatch::new(4);
        for datagram in [&b"12345"[..], b"1", b"2", b"12345", b"3"] {
            receive(&mut batch, 1, datagram);
        }

        batch.truncate(1);

        assert_eq!((batch.len(), batch.datagram(0)), (1, &b"1"[..]));
        let behind: Vec<_> = (0..).map_while(|i| batch.truncated_behind(i)).collect();
        let from = peer(1);
        assert_eq!(behind, [0, 1, 1, 1].map(|behind| (behind, Some(&from))));
    }

    // D-11
    #[test]
    fn a_zero_length_datagram_is_a_datagram() {
        let mut batch = RecvBatch::new(4);

        receive(&mut batch, 1, b"");

        assert!(!batch.is_empty());
        assert_eq!(batch.datagram(0), b"");
    }

    #[test]
    fn a_batch_is_full_when_a_datagram_of_the_limit_might_not_fit() {
        let mut batch = RecvBatch::new(4);

        while batch.room().is_some() {
            assert!(!batch.is_full());
            receive(&mut batch, 1, b"1234");
        }

        assert!(batch.is_full());
        batch.clear();
        assert!(batch.is_empty() && batch.room().is_some());
    }
}
