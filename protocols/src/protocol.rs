//! The trait that everything else in this crate implements.

use std::sync::Arc;

use crate::{
    combinator::{
        adapter::{Choice, Convert, Layered, When},
        convert::converter::Converter,
    },
    error::{DecodeError, EncodeError},
    layer::interface::Layer,
};

/// Maps packets to datagrams and back, one to one.
///
/// A datagram is the bytes the network carries in one piece; a packet is the typed value it stands
/// for. A protocol is what both endpoints agree on. It comes as a codec ([`Raw`](crate::Raw),
/// [`Text`](crate::Text), …), as a [`Convert`] around another protocol, or written by hand: see the
/// [crate documentation](crate) for an example.
///
/// # What an implementation keeps to
///
/// - **One datagram is exactly one packet.** There is no "more bytes are needed" and nothing is
///   left over for later.
/// - **No memory.** The result depends on the argument alone, never on the datagrams before it,
///   which is why both methods take `&self`. One value serves all peers.
/// - **No panic.** Every datagram comes from a stranger; whatever it holds, `decode` returns, and
///   reserves no more memory than the bytes it has really got can justify.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a datagram protocol",
    label = "expected a protocol such as `Json<Request, Response>`, `Text` or `Raw`",
    note = "a protocol of your own implements `DatagramProtocol`"
)]
pub trait DatagramProtocol {
    /// The packet that this endpoint receives.
    type Incoming;

    /// The packet that this endpoint sends.
    type Outgoing;

    /// Decodes the packet that the whole of `datagram` stands for.
    ///
    /// Bytes left over after the packet are an error. The empty datagram is a datagram as any
    /// other.
    ///
    /// # Errors
    ///
    /// Returns an error if `datagram` is not exactly one packet, with the [kind](DecodeError::kind)
    /// of what refused it.
    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError>;

    /// Appends the bytes of `packet` to `datagram`.
    ///
    /// What is in the buffer already stays as it is. When encoding fails, the caller discards what
    /// was appended, usually by truncating the buffer to the length it had; the servers and clients
    /// of `datagrammar` do.
    ///
    /// # Errors
    ///
    /// Returns an error if the protocol has no bytes for `packet`.
    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Puts a converter around this protocol, so that packets become the types of your domain.
    ///
    /// # Examples
    ///
    /// A temperature that cannot be below absolute zero, sent as text:
    ///
    /// ```
    /// use datagrammar_protocols::{BoxError, DatagramProtocol, Text, converter_fn};
    ///
    /// struct Celsius(i32);
    ///
    /// let protocol = Text.convert(converter_fn(
    ///     |text: String| -> Result<Celsius, BoxError> {
    ///         let degrees = text.parse()?;
    ///         if degrees < -273 {
    ///             return Err("temperature is below absolute zero".into());
    ///         }
    ///         Ok(Celsius(degrees))
    ///     },
    ///     |celsius: &Celsius| Ok::<_, BoxError>(celsius.0.to_string()),
    /// ));
    ///
    /// assert_eq!(protocol.decode(b"21")?.0, 21);
    /// assert!(protocol.decode(b"-300").is_err());
    /// # Ok::<(), BoxError>(())
    /// ```
    fn convert<C>(self, converter: C) -> Convert<Self, C>
    where
        Self: Sized,
        C: Converter<WireIncoming = Self::Incoming, WireOutgoing = Self::Outgoing>,
    {
        Convert::new(self, converter)
    }

    /// Puts a layer around this protocol, which changes its bytes.
    ///
    /// Layers nest from the inside out: the last one is the first that a received datagram meets,
    /// so put there what refuses strangers, and compress before you sign.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Prefix, Text};
    ///
    /// let protocol = Text.layer(Prefix::new(*b"inner ")).layer(Prefix::new(*b"outer "));
    ///
    /// assert_eq!(protocol.decode(b"outer inner text")?, "text");
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    fn layer<L: Layer>(self, layer: L) -> Layered<Self, L>
    where
        Self: Sized,
    {
        Layered::new(self, layer)
    }

    /// Restricts this protocol to datagrams that meet a condition, such as
    /// [`first_byte`](crate::first_byte).
    ///
    /// Others are refused both ways: a packet whose bytes do not meet it is an encode error, since
    /// the other side would take it for something else. Refusing costs the condition and nothing
    /// more.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Text};
    ///
    /// let protocol = Text.when(|datagram| datagram.starts_with(b"/"));
    ///
    /// assert_eq!(protocol.decode(b"/join")?, "/join");
    /// assert!(protocol.decode(b"hello").is_err());
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    fn when<F>(self, condition: F) -> When<Self, F>
    where
        Self: Sized,
        F: Fn(&[u8]) -> bool,
    {
        When::new(self, condition)
    }

    /// Puts another protocol beside this one, for the datagrams that this one does not
    /// [claim](Claim).
    ///
    /// So several protocols share a port. Each datagram is decoded by exactly one of them, chosen
    /// before it is decoded: what that one refuses is refused. Packets are [`Either`](crate::Either),
    /// and the side of a packet chooses how it is encoded; one whose bytes another protocol before
    /// it claims is an encode error.
    ///
    /// The last protocol has the rest, the empty datagram with it, unless it has a condition too.
    ///
    /// # Examples
    ///
    /// Three protocols on a port, told apart by their first byte as in [RFC 7983]:
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Either, Raw, Text, first_byte};
    ///
    /// let stun = Raw.when(first_byte(0..=3));
    /// let media = Raw.when(first_byte(128..=191));
    /// let protocol = stun.or(media).or(Text);
    ///
    /// assert!(matches!(protocol.decode(&[0x00, 0x01])?, Either::Left(Either::Left(_))));
    /// assert!(matches!(protocol.decode(&[0x80, 0x60])?, Either::Left(Either::Right(_))));
    /// assert_eq!(protocol.decode(b"hello")?, Either::Right("hello".to_owned()));
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    ///
    /// Two whose datagrams begin with a letter of ours, which they do not see themselves, in one type
    /// of your own:
    ///
    /// ```
    /// use bytes::Bytes;
    /// use datagrammar_protocols::{DatagramProtocol, Either, Prefix, Raw, Text, TryConvert};
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
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    ///
    /// [RFC 7983]: https://www.rfc-editor.org/rfc/rfc7983
    fn or<P>(self, other: P) -> Choice<Self, P>
    where
        Self: Claim + Sized,
        P: DatagramProtocol,
    {
        Choice::new(self, other)
    }
}

/// A protocol that tells its own datagrams from those of others, so that another one can stand
/// beside it: [`protocol.or(…)`](DatagramProtocol::or).
///
/// Any protocol becomes one by a condition, [`protocol.when(…)`](DatagramProtocol::when). One with
/// the layer [`Prefix`](crate::Prefix) around it is one already, and so are two of them with `or`
/// between. Implement it for a protocol of your own that knows itself by more than that.
///
/// An implementation keeps to this: what it encodes, it claims. And it is cheap, since every
/// datagram comes by, and a choice among many asks more than once.
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{Claim, DatagramProtocol, DecodeError, EncodeError, Text};
///
/// /// A request of STUN for an address (RFC 8489), as its transaction id.
/// struct Binding;
///
/// impl Claim for Binding {
///     fn claims(&self, datagram: &[u8]) -> bool {
///         datagram.len() >= 20 && datagram[0] < 4 && datagram[4..8] == COOKIE
///     }
/// }
///
/// impl DatagramProtocol for Binding {
///     type Incoming = [u8; 12];
///     type Outgoing = [u8; 12];
///
///     fn decode(&self, datagram: &[u8]) -> Result<[u8; 12], DecodeError> {
///         match datagram.strip_prefix(&[0, 1, 0, 0]).and_then(|rest| rest.strip_prefix(&COOKIE)) {
///             Some(id) => id.try_into().map_err(|_| DecodeError::codec("the id is not 12 bytes")),
///             None => Err(DecodeError::codec("not a request without attributes")),
///         }
///     }
///
///     fn encode(&self, id: &[u8; 12], datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
///         datagram.extend([&[0, 1, 0, 0], &COOKIE, &id[..]].concat());
///         Ok(())
///     }
/// }
///
/// const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
///
/// let protocol = Binding.or(Text);
///
/// assert_eq!(protocol.decode(b"\0\x01\0\0\x21\x12\xa4\x42transaction!")?.left(), Some(*b"transaction!"));
/// assert_eq!(protocol.decode(b"\0\x01 is text")?.right(), Some("\0\x01 is text".to_owned()));
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell which datagrams are its own",
    label = "expected a protocol with a condition or a prefix",
    note = "write `protocol.when(first_byte(128..=191))` or `protocol.layer(Prefix::new(*b\"magic\"))`"
)]
pub trait Claim: DatagramProtocol {
    /// Tells whether `datagram` is this protocol's, which does not yet mean that it is valid.
    fn claims(&self, datagram: &[u8]) -> bool;
}

impl<P: DatagramProtocol + ?Sized> DatagramProtocol for &P {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        (**self).decode(datagram)
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        (**self).encode(packet, datagram)
    }
}

impl<P: DatagramProtocol + ?Sized> DatagramProtocol for Box<P> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        (**self).decode(datagram)
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        (**self).encode(packet, datagram)
    }
}

impl<P: DatagramProtocol + ?Sized> DatagramProtocol for Arc<P> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        (**self).decode(datagram)
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        (**self).encode(packet, datagram)
    }
}
