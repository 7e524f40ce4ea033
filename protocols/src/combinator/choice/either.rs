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
///
/// Two protocols in one enum of your own. A letter before each datagram selects the protocol,
/// and the inner protocols do not see that letter:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Bytes, DatagramProtocol, Either, Prefix, Raw, Text, TryConvert};
///
/// #[derive(Clone, Debug, PartialEq)]
/// enum Packet {
///     Chat(String),
///     Voice(Bytes),
/// }
///
/// impl From<Either<String, Bytes>> for Packet {
///     fn from(packet: Either<String, Bytes>) -> Self {
///         match packet {
///             Either::Left(text) => Self::Chat(text),
///             Either::Right(bytes) => Self::Voice(bytes),
///         }
///     }
/// }
///
/// impl From<&Packet> for Either<String, Bytes> {
///     fn from(packet: &Packet) -> Self {
///         match packet.clone() {
///             Packet::Chat(text) => Self::Left(text),
///             Packet::Voice(bytes) => Self::Right(bytes),
///         }
///     }
/// }
///
/// let protocol = Text
///     .layer(Prefix::new(*b"T"))
///     .or(Raw.layer(Prefix::new(*b"V")))
///     .convert(TryConvert::<_, Packet, Packet, _>::new());
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Packet::Chat("hello".to_owned()), &mut datagram)?;
///
/// assert_eq!(datagram, b"Thello");
/// assert_eq!(protocol.decode(b"V\xf8")?, Packet::Voice(Bytes::from_static(b"\xf8")));
/// assert!(protocol.decode(b"hello").is_err());
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
