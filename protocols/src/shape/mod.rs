//! What all datagrams of a protocol have in common.

mod byte_set;
mod pattern;

use std::ops::{Bound, RangeBounds};

use byte_set::ByteSet;
pub use pattern::Pattern;

/// What all datagrams of a protocol have in common: their lengths and first bytes.
///
/// [`DatagramProtocol::shape`](crate::DatagramProtocol::shape) returns it. A server with a kernel filter makes
/// a program of it, which drops all other datagrams before the server receives them. So a shape must include
/// every valid datagram. It may include invalid ones.
///
/// A shape is one form or several, see [`patterns`](Self::patterns). It remembers at most 8 forms and 32
/// positions. A combination that needs more includes more datagrams than it has to.
///
/// # Examples
///
/// Requests of DNS ([RFC 1035], section 4.1.1): a header of 12 bytes, in which a bit of the third one says
/// that it is a request. At least one question of 5 bytes follows:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::Shape;
///
/// let requests = Shape::first_byte(..0x80).with_header(2).and(Shape::lengths(17..));
///
/// assert!(requests.matches(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01"));
/// assert!(!requests.matches(b"\x12\x34\x81\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01"));
/// assert!(!requests.matches(b"\x12\x34\x01\0"));
/// ```
///
/// [RFC 1035]: https://www.rfc-editor.org/rfc/rfc1035
#[doc(alias("magic", "signature"))]
#[derive(Clone, Debug)]
pub struct Shape {
    patterns: Vec<Pattern>,
}

impl Shape {
    /// Returns the shape that all datagrams have.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// assert!(Shape::any().matches(b"") && Shape::any().is_any());
    /// ```
    #[must_use]
    pub fn any() -> Self {
        Self::lengths(..)
    }

    /// Returns the shape of datagrams that have these lengths, in bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// assert!(Shape::lengths(2..=4).matches(b"abc"));
    /// assert!(!Shape::lengths(4..).matches(b"abc"));
    /// ```
    #[must_use]
    pub fn lengths(bytes: impl RangeBounds<usize>) -> Self {
        let min = match bytes.start_bound() {
            Bound::Included(min) => Some(*min),
            Bound::Excluded(below) => below.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let max = match bytes.end_bound() {
            Bound::Included(max) => Some(*max),
            Bound::Excluded(above) => above.checked_sub(1),
            Bound::Unbounded => Some(usize::MAX),
        };
        Self::of(min.zip(max).and_then(|(min, max)| Pattern::new(min, max, Vec::new())))
    }

    /// Returns the shape of datagrams whose first byte is in `bytes`. The empty datagram is none of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// assert!(Shape::first_byte(128..=191).matches(&[0x80, 0x60]));
    /// assert!(!Shape::first_byte(..).matches(b""));
    /// ```
    #[must_use]
    pub fn first_byte(bytes: impl RangeBounds<u8>) -> Self {
        Self::of(Pattern::new(1, usize::MAX, vec![ByteSet::of(bytes)]))
    }

    /// Returns the shape of datagrams that begin with `bytes`. It remembers the first 32 of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// assert!(Shape::prefix(b"QZ").matches(b"QZ\x02"));
    /// assert!(!Shape::prefix(b"QZ").matches(b"Q"));
    /// ```
    #[must_use]
    pub fn prefix(bytes: impl AsRef<[u8]>) -> Self {
        let sets = bytes.as_ref().iter().map(|byte| ByteSet::of(byte..=byte));
        Self::of(Pattern::new(0, usize::MAX, sets.collect()))
    }

    fn of(patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let mut shape = Self { patterns: Vec::new() };
        patterns.into_iter().for_each(|pattern| shape.add(pattern));
        shape
    }

    fn add(&mut self, mut pattern: Pattern) {
        // What it is joined with may then be joined with the others.
        while let Some((at, joined)) = self
            .patterns
            .iter()
            .enumerate()
            .find_map(|(at, known)| Some((at, known.joined(&pattern)?)))
        {
            self.patterns.remove(at);
            pattern = joined;
        }
        if self.patterns.len() == MOST_PATTERNS
            && let Some(last) = self.patterns.pop()
        {
            return self.add(last.hull(&pattern));
        }
        self.patterns.push(pattern);
    }

    /// Returns the shape of datagrams that have this shape or the other one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// let shape = Shape::prefix(b"GET ").or(Shape::lengths(..=0));
    ///
    /// assert!(shape.matches(b"GET /") && shape.matches(b""));
    /// assert!(!shape.matches(b"PUT /"));
    /// ```
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::of(self.patterns.into_iter().chain(other.patterns))
    }

    /// Returns the shape of datagrams that have both shapes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// let shape = Shape::prefix(b"QZ").and(Shape::lengths(..=4));
    ///
    /// assert!(shape.matches(b"QZ12"));
    /// assert!(!shape.matches(b"QZ123") && !shape.matches(b"1234"));
    /// ```
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "like `or`")]
    pub fn and(self, other: Self) -> Self {
        Self::of(
            self.patterns
                .iter()
                .flat_map(|one| other.patterns.iter().filter_map(move |two| one.and(two))),
        )
    }

    /// Returns the shape of these datagrams with `bytes` more bytes in front of them, of any value.
    ///
    /// # Examples
    ///
    /// Two bytes of any value, and then text that begins with a slash:
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// let shape = Shape::prefix(b"/").with_header(2);
    ///
    /// assert!(shape.matches(b"\0\x07/join"));
    /// assert!(!shape.matches(b"/join"));
    /// ```
    #[must_use]
    pub fn with_header(&self, bytes: usize) -> Self {
        Self::of(self.patterns.iter().filter_map(|pattern| pattern.with_header(bytes)))
    }

    /// Returns the shape of these datagrams with `bytes` more bytes at the end, of any value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// let shape = Shape::lengths(..=8).with_trailer(4);
    ///
    /// assert!(shape.matches(b"texttext\x83\x92\x06\xe3"));
    /// assert!(!shape.matches(b"\x83\x92\x06"));
    /// ```
    #[must_use]
    pub fn with_trailer(&self, bytes: usize) -> Self {
        Self::of(self.patterns.iter().map(|pattern| pattern.with_trailer(bytes)))
    }

    /// Returns whether a datagram has this shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Prefix, Text};
    ///
    /// let shape = Text.layer(Prefix::new(*b"T")).shape();
    ///
    /// assert!(shape.matches(b"Thello"));
    /// assert!(!shape.matches(b"hello"));
    /// ```
    #[must_use]
    pub fn matches(&self, datagram: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(datagram))
    }

    /// Returns whether all datagrams have this shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Raw, Shape};
    ///
    /// assert!(Raw.shape().is_any());
    /// assert!(!Shape::lengths(1..).is_any());
    /// ```
    #[must_use]
    pub fn is_any(&self) -> bool {
        let is_any =
            |pattern: &Pattern| pattern.lengths() == (0..=usize::MAX) && pattern.positions() == 0;
        self.patterns.iter().any(is_any)
    }

    /// Returns the forms that datagrams of this shape can have, at most 8. Without any, no datagram has this
    /// shape.
    ///
    /// Use it to make filters of your own, for a firewall for example.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Shape;
    ///
    /// let shape = Shape::prefix(b"A").and(Shape::prefix(b"B"));
    ///
    /// assert!(shape.patterns().is_empty());
    /// ```
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}

/// How many forms are remembered. A program for the kernel has a limit too.
const MOST_PATTERNS: usize = 8;
