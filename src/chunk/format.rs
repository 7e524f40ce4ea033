//! The format of the datagrams: [`Chunked`](super::Chunked) describes it.

use std::ops::RangeInclusive;

use crate::Shape;

/// The first byte of a datagram that is a whole packet.
pub(crate) const WHOLE: u8 = 0;
/// The first byte of a chunk.
const CHUNK: u8 = 1;
/// The first byte of a chunk whose sender wants to know which chunks are missing.
const ASKING: u8 = 2;
/// The first byte of the list of the chunks that are missing.
const MISSING: u8 = 3;

/// How many bytes of a chunk come before its part of the packet.
pub(crate) const HEADER: usize = 17;

/// How many bytes of a list come before its ranges, and how many each range has.
const LIST_HEADER: usize = 13;
const RANGE: usize = 4;

/// Every chunk except the last one has at least this many bytes of the packet. So nobody makes a server keep many
/// pieces that are tiny.
pub(crate) const SHORTEST: usize = 512;

/// How many ranges a list has at most.
pub(crate) const RANGES: usize = 64;

/// What identifies a packet that is sent in chunks, together with its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PacketId {
    /// The id of the request. A response has the id of its request.
    pub(crate) id: u64,
    /// Two packets with the same id and other bytes have different numbers.
    pub(crate) number: u32,
}

/// A datagram that is no whole packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Chunk(Chunk<'a>),
    Missing(Missing<'a>),
}

/// A part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) packet: PacketId,
    /// Its number, and that of the last chunk.
    pub(crate) index: u16,
    pub(crate) last: u16,
    /// Whether the sender wants to know which chunks are missing.
    pub(crate) asks: bool,
    pub(crate) bytes: &'a [u8],
}

/// The chunks of a packet that its receiver has not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing<'a> {
    pub(crate) packet: PacketId,
    ranges: &'a [[u8; RANGE]],
}

/// Whether a datagram is a part, or pretends to be one.
#[inline]
pub(crate) const fn is_part(datagram: &[u8]) -> bool {
    matches!(datagram, [CHUNK..=MISSING, ..])
}

/// The shape of all parts.
pub(crate) fn parts() -> Shape {
    let chunks = Shape::first_byte(CHUNK..=ASKING).and(Shape::lengths(HEADER + 1..));
    let lists = LIST_HEADER + RANGE..=LIST_HEADER + RANGES * RANGE;
    chunks.or(Shape::prefix([MISSING]).and(Shape::lengths(lists)))
}

impl<'a> Part<'a> {
    /// Which packet it belongs to.
    pub(crate) const fn packet(&self) -> PacketId {
        match self {
            Self::Chunk(chunk) => chunk.packet,
            Self::Missing(missing) => missing.packet,
        }
    }

    /// Reads a part. Returns `None` if it is malformed.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Self> {
        let (header, rest) = datagram.split_first_chunk::<LIST_HEADER>()?;
        let [kind, id @ .., a, b, c, d] = *header;
        let packet =
            PacketId { id: u64::from_be_bytes(id), number: u32::from_be_bytes([a, b, c, d]) };
        match kind {
            CHUNK | ASKING => {
                let (numbers, bytes) = rest.split_first_chunk::<RANGE>()?;
                let (index, last) = pair(*numbers);
                let shortest = if index < last { SHORTEST } else { 1 };
                let is_valid = last > 0 && index <= last && bytes.len() >= shortest;
                let asks = kind == ASKING;
                is_valid.then_some(Self::Chunk(Chunk { packet, index, last, asks, bytes }))
            }
            MISSING => {
                let (ranges, more) = rest.as_chunks::<RANGE>();
                let is_ordered = |range: &[u8; RANGE]| {
                    let (first, last) = pair(*range);
                    first <= last
                };
                let is_valid = !ranges.is_empty()
                    && ranges.len() <= RANGES
                    && more.is_empty()
                    && ranges.iter().all(is_ordered);
                is_valid.then_some(Self::Missing(Missing { packet, ranges }))
            }
            _ => None,
        }
    }
}

impl Chunk<'_> {
    /// Appends it to a datagram.
    pub(crate) fn write(&self, datagram: &mut Vec<u8>) {
        datagram.push(if self.asks { ASKING } else { CHUNK });
        self.packet.write(datagram);
        datagram.extend_from_slice(&self.index.to_be_bytes());
        datagram.extend_from_slice(&self.last.to_be_bytes());
        datagram.extend_from_slice(self.bytes);
    }
}

impl Missing<'_> {
    /// The numbers of the chunks, as ranges.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u16>> {
        self.ranges.iter().map(|range| {
            let (first, last) = pair(*range);
            first..=last
        })
    }
}

/// Makes the list of these chunks, which has at most `longest` bytes and at least one range. There are chunks.
pub(crate) fn missing(
    packet: PacketId,
    ranges: impl Iterator<Item = RangeInclusive<u16>>,
    longest: usize,
) -> Vec<u8> {
    let most = ranges_in(longest);
    let mut datagram = vec![MISSING];
    packet.write(&mut datagram);
    for range in ranges.take(most) {
        datagram.extend_from_slice(&range.start().to_be_bytes());
        datagram.extend_from_slice(&range.end().to_be_bytes());
    }
    datagram
}

/// How many ranges a list has at most that has `longest` bytes, or only one range.
pub(crate) fn ranges_in(longest: usize) -> usize {
    (longest.saturating_sub(LIST_HEADER) / RANGE).clamp(1, RANGES)
}

impl PacketId {
    fn write(self, datagram: &mut Vec<u8>) {
        datagram.extend_from_slice(&self.id.to_be_bytes());
        datagram.extend_from_slice(&self.number.to_be_bytes());
    }
}

const fn pair([a, b, c, d]: [u8; RANGE]) -> (u16, u16) {
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: PacketId = PacketId { id: 0x0102_0304_0506_0708, number: 0x0a0b_0c0d };

    /// The id and the number as bytes.
    const ID: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 0x0a, 0x0b, 0x0c, 0x0d];

    fn bytes(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    // the vectors of the page of `Chunked`
    #[test]
    fn chunks_and_lists_have_the_documented_format() {
        let last = Chunk { packet: PACKET, index: 1, last: 1, asks: false, bytes: b"end" };
        let full = Chunk { index: 0, asks: true, bytes: &[7; SHORTEST], ..last };
        for (chunk, expected) in [
            (last, bytes(&[&[1], &ID, &[0, 1, 0, 1], b"end"])),
            (full, bytes(&[&[2], &ID, &[0, 0, 0, 1], &[7; SHORTEST]])),
        ] {
            let mut datagram = Vec::new();
            chunk.write(&mut datagram);
            assert_eq!(datagram, expected);
            assert_eq!(Part::read(&datagram), Some(Part::Chunk(chunk)));
        }

        let list = missing(PACKET, [0..=3, 7..=7].into_iter(), 1_200);
        assert_eq!(list, bytes(&[&[3], &ID, &[0, 0, 0, 3, 0, 7, 0, 7]]));
        let Some(Part::Missing(read)) = Part::read(&list) else { panic!() };
        assert_eq!((read.packet, read.ranges().collect::<Vec<_>>()), (PACKET, vec![0..=3, 7..=7]));
    }

    //
    #[test]
    fn malformed_parts_are_refused() {
        let chunk = |index: u16, last: u16, len: usize| {
            let numbers = [index.to_be_bytes(), last.to_be_bytes()].concat();
            bytes(&[&[1], &ID, &numbers, &vec![7; len]])
        };
        for malformed in [
            chunk(0, 0, SHORTEST),
            chunk(2, 1, SHORTEST),
            chunk(0, 1, SHORTEST - 1),
            chunk(1, 1, 0),
            bytes(&[&[3], &ID]),
            bytes(&[&[3], &ID, &[0, 1, 0]]),
            bytes(&[&[3], &ID, &[0, 1, 0, 0]]),
            bytes(&[&[3], &ID, &[0; RANGE * (RANGES + 1)]]),
            bytes(&[&[0], &ID, &[0; RANGE]]),
            bytes(&[&[4], &ID, &[0; RANGE]]),
            vec![],
        ] {
            assert_eq!(Part::read(&malformed), None, "{malformed:?}");
        }
        let whole = chunk(1, 1, 1);
        (0..whole.len()).for_each(|len| assert_eq!(Part::read(&whole[..len]), None));
        assert!(Part::read(&whole).is_some());
    }

    //
    #[test]
    fn a_list_is_not_longer_than_it_may_be() {
        let all = || (0..1_000).map(|n| 2 * n..=2 * n);

        assert_eq!(missing(PACKET, all(), 0).len(), LIST_HEADER + RANGE);
        assert_eq!(
            missing(PACKET, all(), LIST_HEADER + 3 * RANGE + 3).len(),
            LIST_HEADER + 3 * RANGE
        );
        assert_eq!(missing(PACKET, all(), usize::MAX).len(), LIST_HEADER + RANGES * RANGE);
    }

    //
    #[test]
    fn parts_have_their_shape_and_what_is_malformed_by_its_length_has_not() {
        let shape = parts();
        let mut random = fastrand::Rng::with_seed(20);
        let mut read = 0;

        for _ in 0..20_000 {
            let mut datagram = bytes(&[&[random.u8(..5)], &ID, &[0, 0, 0, random.u8(..2)]]);
            datagram.extend(std::iter::repeat_n(0, random.usize(..600)));
            datagram.truncate(random.usize(..600));
            let is_part = Part::read(&datagram).is_some();
            assert!(!is_part || shape.matches(&datagram), "{datagram:?}");
            read += u32::from(is_part);
        }

        assert!(read > 300, "{read}");
        assert!(!shape.matches(&[CHUNK; HEADER]) && !shape.matches(&[MISSING; LIST_HEADER]));
        assert!(!shape.matches(&[WHOLE; 100]) && !shape.matches(b""));
    }

    #[test]
    fn whole_packets_and_empty_datagrams_are_no_parts() {
        assert!(!is_part(&[WHOLE, 1, 2]) && !is_part(&[4]) && !is_part(&[]));
        assert!((1..=3).all(|kind| is_part(&[kind])));
    }
}
