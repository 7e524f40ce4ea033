//! One form that datagrams can have.

use std::ops::RangeInclusive;

use super::byte_set::ByteSet;

/// A range of lengths, and the bytes that may be at the first positions; one of
/// [`Shape::patterns`](crate::Shape::patterns).
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::Shape;
///
/// let shape = Shape::first_byte(128..=191).and(Shape::lengths(12..=1_200));
/// let [pattern] = shape.patterns() else { panic!("there is one form") };
///
/// assert_eq!((pattern.lengths(), pattern.positions()), (12..=1_200, 1));
/// assert_eq!(pattern.bytes(0).collect::<Vec<_>>(), [128..=191]);
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    min: usize,
    max: usize,
    /// The bytes at the first positions. A datagram is at least that long, so `min` is not less.
    /// The last set does not have all bytes.
    first: Vec<ByteSet>,
}

impl Pattern {
    /// Returns `None` if no datagram can have this form.
    pub(super) fn new(min: usize, max: usize, mut first: Vec<ByteSet>) -> Option<Self> {
        let min = min.max(first.len());
        if min > max || first.iter().any(|set| set.is_empty()) {
            return None;
        }
        first.truncate(MOST_POSITIONS);
        while first.last() == Some(&ByteSet::ALL) {
            first.pop();
        }
        Some(Self { min, max, first })
    }

    /// Returns the lengths that a datagram may have, in bytes. [`usize::MAX`] is no limit.
    #[must_use]
    pub const fn lengths(&self) -> RangeInclusive<usize> {
        self.min..=self.max
    }

    /// Returns the number of positions at the beginning for which it says which bytes may be there, at most
    /// 32. A datagram is at least that long.
    #[must_use]
    pub const fn positions(&self) -> usize {
        self.first.len()
    }

    /// Returns the bytes that may be at this position, as ranges in ascending order. From
    /// [`positions`](Self::positions) on, these are all bytes.
    pub fn bytes(&self, position: usize) -> impl Iterator<Item = RangeInclusive<u8>> {
        self.at(position).ranges()
    }

    /// Returns whether a datagram has this form.
    #[must_use]
    pub fn matches(&self, datagram: &[u8]) -> bool {
        self.lengths().contains(&datagram.len())
            && self.first.iter().zip(datagram).all(|(set, byte)| set.contains(*byte))
    }

    fn at(&self, position: usize) -> ByteSet {
        self.first.get(position).copied().unwrap_or(ByteSet::ALL)
    }

    /// What `combine` makes of the sets of both, position by position.
    fn zip(&self, other: &Self, combine: fn(ByteSet, ByteSet) -> ByteSet) -> Vec<ByteSet> {
        let positions = 0..self.positions().max(other.positions());
        positions.map(|at| combine(self.at(at), other.at(at))).collect()
    }

    /// The datagrams that have both forms.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let (min, max) = (self.min.max(other.min), self.max.min(other.max));
        Self::new(min, max, self.zip(other, ByteSet::and))
    }

    /// The smallest form that includes both.
    pub(super) fn hull(&self, other: &Self) -> Self {
        let (min, max) = (self.min.min(other.min), self.max.max(other.max));
        let mut first = self.zip(other, ByteSet::or);
        while first.last() == Some(&ByteSet::ALL) {
            first.pop();
        }
        Self { min, max, first }
    }

    /// The form that includes both and nothing else, if there is one.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        let hull = self.hull(other);
        let is_like_hull = |one: &Self| one.lengths() == hull.lengths();
        let differ = (0..self.positions().max(other.positions()))
            .filter(|at| self.at(*at) != other.at(*at))
            .count();
        let touch =
            self.min <= other.max.saturating_add(1) && other.min <= self.max.saturating_add(1);
        let is_exact = match differ {
            0 => touch,
            1 => is_like_hull(self) && is_like_hull(other),
            _ => false,
        };
        (is_exact || hull.is_within(self) || hull.is_within(other)).then_some(hull)
    }

    fn is_within(&self, other: &Self) -> bool {
        other.min <= self.min
            && self.max <= other.max
            && self.zip(other, ByteSet::and) == self.first
    }

    /// The form of datagrams with this many more bytes in front.
    pub(super) fn with_header(&self, bytes: usize) -> Option<Self> {
        let header = std::iter::repeat_n(ByteSet::ALL, bytes.min(MOST_POSITIONS));
        let first = header.chain(self.first.iter().copied()).collect();
        Self::new(self.min.saturating_add(bytes), self.max.saturating_add(bytes), first)
    }

    /// The form of datagrams with this many more bytes at the end.
    pub(super) fn with_trailer(&self, bytes: usize) -> Self {
        let (min, max) = (self.min.saturating_add(bytes), self.max.saturating_add(bytes));
        Self { min, max, first: self.first.clone() }
    }
}

/// At how many positions bytes are remembered.
const MOST_POSITIONS: usize = 32;
