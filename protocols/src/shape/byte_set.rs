//! A set of bytes.

use std::{
    fmt,
    ops::{RangeBounds, RangeInclusive},
};

/// One bit for each byte.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn of(bytes: impl RangeBounds<u8>) -> Self {
        let mut words = [0; 4];
        for byte in (0..=u8::MAX).filter(|byte| bytes.contains(byte)) {
            words[usize::from(byte / 64)] |= 1 << (byte % 64);
        }
        Self(words)
    }

    pub(super) fn contains(self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] & 1 << (byte % 64) != 0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    /// The bytes as ranges, in ascending order, with gaps between them.
    pub(super) fn ranges(self) -> impl Iterator<Item = RangeInclusive<u8>> {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let first = (next?..=u8::MAX).find(|byte| self.contains(*byte))?;
            let last = (first..=u8::MAX).take_while(|byte| self.contains(*byte)).last()?;
            next = last.checked_add(1);
            Some(first..=last)
        })
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(set: ByteSet) -> Vec<RangeInclusive<u8>> {
        set.ranges().collect()
    }

    #[test]
    fn ranges_are_what_the_set_is_made_of() {
        assert_eq!(ranges(ByteSet::ALL), [0..=255]);
        assert_eq!(ranges(ByteSet::of(0..0)), []);
        assert_eq!(ranges(ByteSet::of(63..=64).or(ByteSet::of(250..))), [63..=64, 250..=255]);
        assert_eq!(ranges(ByteSet::of(..9).and(ByteSet::of(8..))), [8..=8]);
    }
}
