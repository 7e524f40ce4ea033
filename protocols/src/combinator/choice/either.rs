//! A packet of one protocol or of the other.

/// A packet of the one protocol or of the other.
///
/// What a [`Choice`](crate::Choice) receives and sends. Where more than two are nested, an `enum` of
/// your own reads better in handlers: [`DatagramProtocol::or`](crate::DatagramProtocol::or) shows
/// how.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "there are two sides of an `or`")]
pub enum Either<L, R> {
    /// A packet of the protocol before the `or`.
    Left(L),

    /// A packet of the protocol behind it.
    Right(R),
}

impl<L, R> Either<L, R> {
    /// Returns the packet, if it is of the protocol before the `or`.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::Either;
    ///
    /// let packet: Either<u8, &str> = Either::Left(7);
    ///
    /// assert_eq!(packet.left(), Some(7));
    /// assert_eq!(packet.right(), None);
    /// ```
    #[must_use]
    pub fn left(self) -> Option<L> {
        match self {
            Self::Left(packet) => Some(packet),
            Self::Right(_) => None,
        }
    }

    /// Returns the packet, if it is of the protocol behind the `or`.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::Either;
    ///
    /// let packet: Either<u8, &str> = Either::Right("seven");
    ///
    /// assert_eq!(packet.left(), None);
    /// assert_eq!(packet.right(), Some("seven"));
    /// ```
    #[must_use]
    pub fn right(self) -> Option<R> {
        match self {
            Self::Left(_) => None,
            Self::Right(packet) => Some(packet),
        }
    }
}
