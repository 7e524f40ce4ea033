//! One packet that is sent in chunks.

use std::ops::RangeInclusive;

use super::format::{Chunk, HEADER, PacketId};

/// Splits one packet into chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Splitter<'a> {
    packet: PacketId,
    /// The bytes of the packet.
    bytes: &'a [u8],
    /// The length of each chunk except the last one.
    len: usize,
    /// What is in front of each chunk.
    envelope: &'a [u8],
}

impl<'a> Splitter<'a> {
    /// Splits a datagram that is a whole packet into datagrams of at most `longest` bytes. It is longer than that, and
    /// not longer than 65,536 chunks.
    pub(crate) const fn new(packet: PacketId, datagram: &'a [u8], longest: usize) -> Self {
        Self::in_envelope(packet, datagram, longest, 0)
    }

    /// Does the same for a datagram that begins with so many bytes of an envelope. Each chunk begins with them, too.
    pub(crate) const fn in_envelope(
        packet: PacketId,
        datagram: &'a [u8],
        longest: usize,
        envelope: usize,
    ) -> Self {
        let (envelope, whole) = datagram.split_at(envelope);
        let (_, bytes) = whole.split_at(1);
        Self { packet, bytes, len: longest - envelope.len() - HEADER, envelope }
    }

    /// The number of the last chunk.
    pub(crate) fn last(&self) -> u16 {
        (self.bytes.len().div_ceil(self.len) - 1) as u16
    }

    /// The chunk with a number, if there is one. The last one of a flight asks what is missing, if the sender wants to
    /// know.
    pub(crate) fn chunk(&self, index: u16, asks: bool) -> Option<Vec<u8>> {
        let start = usize::from(index) * self.len;
        let bytes = self.bytes.get(start..).filter(|bytes| !bytes.is_empty())?;
        let bytes = &bytes[..self.len.min(bytes.len())];
        let mut datagram = Vec::with_capacity(self.envelope.len() + HEADER + bytes.len());
        datagram.extend_from_slice(self.envelope);
        Chunk { packet: self.packet, index, last: self.last(), asks, bytes }.write(&mut datagram);
        Some(datagram)
    }

    /// The first `most` of these chunks.
    pub(crate) fn chunks(
        self,
        ranges: impl Iterator<Item = RangeInclusive<u16>>,
        most: usize,
    ) -> impl Iterator<Item = Vec<u8>> {
        // A range may be longer than the packet.
        let last = self.last();
        let within = ranges.flat_map(move |range| *range.start()..=last.min(*range.end()));
        within.take(most).filter_map(move |index| self.chunk(index, false))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            assembly::{Assembly, Verdict},
            format::{Part, SHORTEST, WHOLE},
        },
        *,
    };

    const PACKET: PacketId = PacketId { id: 7, number: 1 };

    //
    #[test]
    fn chunks_of_every_length_make_the_packet_again() {
        let longest = SHORTEST + HEADER;
        for len in [longest, SHORTEST * 2 - 1, SHORTEST * 2, SHORTEST * 2 + 1, 10_000] {
            let datagram: Vec<_> = [WHOLE].into_iter().chain((0..len).map(|n| n as u8)).collect();
            let splitter = Splitter::new(PACKET, &datagram, longest);
            let mut assembly = Assembly::new(splitter.last());
            for chunk in splitter.chunks([0..=u16::MAX].into_iter(), usize::MAX) {
                assert!(chunk.len() <= longest);
                let Some(Part::Chunk(chunk)) = Part::read(&chunk) else { panic!("{chunk:?}") };
                assert_eq!(assembly.add(&chunk, len), Verdict::New);
            }
            assert_eq!(assembly.into_datagram(), datagram);
        }
    }

    //
    #[test]
    fn each_chunk_has_the_envelope_of_its_datagram() {
        let longest = SHORTEST + HEADER + 1;
        let packet: Vec<_> = (0..10_000).map(|n| n as u8).collect();
        let datagram = [&[0x11, WHOLE][..], &packet].concat();
        let splitter = Splitter::in_envelope(PACKET, &datagram, longest, 1);
        let mut assembly = Assembly::new(splitter.last());
        for chunk in splitter.chunks([0..=u16::MAX].into_iter(), usize::MAX) {
            assert!(chunk.len() <= longest && chunk[0] == 0x11);
            let Some(Part::Chunk(chunk)) = Part::read(&chunk[1..]) else { panic!("{chunk:?}") };
            assert_eq!(assembly.add(&chunk, packet.len()), Verdict::New);
        }
        assert_eq!(assembly.into_datagram(), datagram[1..]);
    }

    //
    #[test]
    fn chunks_that_do_not_exist_are_not_sent() {
        let datagram = [0; 3_000];
        let splitter = Splitter::new(PACKET, &datagram, SHORTEST + HEADER);
        assert_eq!(splitter.last(), 5);
        assert!(splitter.chunk(5, false).is_some() && splitter.chunk(6, false).is_none());

        let sent = |ranges: Vec<RangeInclusive<u16>>, most| {
            let index = |chunk: Vec<u8>| match Part::read(&chunk) {
                Some(Part::Chunk(chunk)) => chunk.index,
                part => panic!("{part:?}"),
            };
            splitter.chunks(ranges.into_iter(), most).map(index).collect::<Vec<_>>()
        };
        assert_eq!(sent(vec![1..=1, 4..=u16::MAX, 9..=9], 64), [1, 4, 5]);
        assert_eq!(sent(vec![0..=5], 2), [0, 1]);
    }
}
