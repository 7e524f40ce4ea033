//! A packet of one of two protocols.

/// A packet of one of two protocols.
///
/// A [`Choice`](crate::Choice) receives and sends these packets. With three or more protocols they
/// are nested. An `enum` of your own is then easier to read;
/// [`DatagramProtocol::or`](crate::DatagramProtocol::or) shows how to convert to one.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Either, Text};
///
/// let protocol = Text.when(|datagram| datagram.starts_with(b"/")).or(Text);
///
/// let command = match protocol.decode(b"/join")? {
///     Either::Left(command) => command,
///     Either::Right(chat) => panic!("{chat} is not a command"),
/// };
///
/// assert_eq!(command, "/join");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "or")]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "there are two sides of an `or`")]
pub enum Either<L, R> {
    /// A packet of the protocol before the `or`.
    Left(L),

    /// A packet of the protocol after the `or`.
    Right(R),
}

impl<L, R> Either<L, R> {
    /// Returns the packet if it belongs to the protocol before the `or`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Either;
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

    /// Returns the packet if it belongs to the protocol after the `or`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::Either;
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
