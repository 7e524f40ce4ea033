//! The trait of every protocol, and the trait of protocols that recognize their own datagrams.

use crate::{
    combinator::{
        adapter::{Choice, Convert, Layered, Shaped, When},
        convert::converter::Converter,
    },
    error::{DecodeError, EncodeError},
    layer::interface::Layer,
    shape::Shape,
};

/// Maps packets to datagrams and back: one datagram is one packet.
///
/// A datagram is the bytes that the network carries in one piece. A packet is the typed value that
/// it stands for. Both endpoints must use the same protocol. A protocol is a codec
/// ([`Raw`](crate::Raw), [`Text`](crate::Text), …), or a combination of others, such as a
/// [`Convert`] around a codec, or a type of your own that implements this trait.
///
/// # Rules
///
/// Every implementation must keep these rules. The kit `testing::Conformance` tests them.
///
/// - **One datagram is exactly one packet.** A protocol cannot ask for more bytes, and it cannot
///   leave bytes for later.
/// - **No state.** The result depends only on the argument, not on earlier datagrams. That is why
///   both methods take `&self`. One value serves all peers.
/// - **No panic.** Every datagram may come from an attacker. `decode` returns for any bytes. It
///   uses memory in proportion to the received bytes, not to a length that they declare.
/// - **A true shape.** Every datagram that `decode` accepts has the [`shape`](Self::shape).
///
/// # Examples
///
/// The [crate documentation](crate#writing-a-protocol) shows how to implement this trait. This
/// function accepts any protocol:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, EncodeError, Text};
///
/// fn size<P: DatagramProtocol>(protocol: &P, packet: &P::Outgoing) -> Result<usize, EncodeError> {
///     let mut datagram = Vec::new();
///     protocol.encode(packet, &mut datagram)?;
///     Ok(datagram.len())
/// }
///
/// assert_eq!(size(&Text, &"hello".to_owned())?, 5);
/// # Ok::<(), EncodeError>(())
/// ```
#[doc(alias("codec", "serializer"))]
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

    /// Decodes the whole `datagram` as one packet.
    ///
    /// Bytes after the packet are an error. The empty datagram is valid input like any other; the
    /// protocol decides whether it is a packet.
    ///
    /// # Errors
    ///
    /// Returns an error if `datagram` is not exactly one packet. Its [kind](DecodeError::kind) says
    /// which part of the protocol refused it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Text};
    ///
    /// assert_eq!(Text.decode(b"hello")?, "hello");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError>;

    /// Appends the bytes of `packet` to `datagram`.
    ///
    /// The bytes that are already in the buffer do not change. After an error the buffer may hold a
    /// part of the packet; the caller discards it, usually by truncating the buffer to its old
    /// length. The servers and clients of `datagrammar` do that.
    ///
    /// # Errors
    ///
    /// Returns an error if the protocol cannot express `packet`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Text};
    ///
    /// let mut datagram = b"before ".to_vec();
    /// Text.encode(&"hello".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(datagram, b"before hello");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Returns what all datagrams that this endpoint receives have in common, as lengths and first
    /// bytes. The default is [`Shape::any`].
    ///
    /// A server with a kernel filter (`ServerBuilder::kernel_filter`) lets the kernel drop all other
    /// datagrams. So the shape must include every datagram that [`decode`](Self::decode) accepts, and
    /// every one that the other side sends. It may include more. It does not change, like everything
    /// else that a protocol returns.
    ///
    /// Protocols of this crate know their shapes: `Text.layer(Prefix::new(*b"QZ"))` that datagrams
    /// begin with `QZ`, `Fixed` how long they are. Only a [condition](Self::when) is a closure, so
    /// nobody can see which bytes it wants; use [`shaped`](Self::shaped) instead.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Prefix, Text};
    ///
    /// let shape = Text.layer(Prefix::new(*b"QZ")).shape();
    ///
    /// assert!(shape.matches(b"QZhello"));
    /// assert!(!shape.matches(b"hello"));
    /// ```
    #[must_use]
    fn shape(&self) -> Shape {
        Shape::any()
    }

    /// Wraps this protocol with a converter, so that packets become types of your domain.
    ///
    /// The bytes on the wire stay the same. The converter never sees a datagram that this protocol
    /// refuses.
    ///
    /// # Examples
    ///
    /// A temperature that cannot be below absolute zero, sent as text:
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{BoxError, DatagramProtocol, Text, converter_fn};
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
    #[doc(alias = "map")]
    #[must_use]
    fn convert<C>(self, converter: C) -> Convert<Self, C>
    where
        Self: Sized,
        C: Converter<WireIncoming = Self::Incoming, WireOutgoing = Self::Outgoing>,
    {
        Convert::new(self, converter)
    }

    /// Wraps this protocol with a layer, which changes its bytes.
    ///
    /// The last layer is the outermost one: it sees a received datagram first. So put the layer
    /// that refuses attackers last, and compress before you sign.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Prefix, Text};
    ///
    /// let protocol = Text.layer(Prefix::new(*b"inner ")).layer(Prefix::new(*b"outer "));
    ///
    /// assert_eq!(protocol.decode(b"outer inner text")?, "text");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    fn layer<L: Layer>(self, layer: L) -> Layered<Self, L>
    where
        Self: Sized,
    {
        Layered::new(self, layer)
    }

    /// Restricts this protocol to datagrams that meet a condition, such as
    /// [`first_byte`](crate::first_byte).
    ///
    /// `decode` refuses other datagrams before this protocol sees them. `encode` refuses a packet
    /// whose bytes do not meet the condition, since the other side would give them to another
    /// protocol. The condition is the only cost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Text};
    ///
    /// let protocol = Text.when(|datagram| datagram.starts_with(b"/"));
    ///
    /// assert_eq!(protocol.decode(b"/join")?, "/join");
    /// assert!(protocol.decode(b"hello").is_err());
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    fn when<F>(self, condition: F) -> When<Self, F>
    where
        Self: Sized,
        F: Fn(&[u8]) -> bool,
    {
        When::new(self, condition)
    }

    /// Restricts this protocol to datagrams of a [shape](Shape). It is a [condition](Self::when) that the
    /// [kernel filter](Self::shape) of a server knows too.
    ///
    /// `decode` refuses other datagrams, and `encode` refuses packets whose bytes do not have the
    /// shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Raw, Shape};
    ///
    /// let media = Raw.shaped(Shape::first_byte(128..=191).and(Shape::lengths(12..)));
    ///
    /// assert!(media.decode(&[0x80; 12]).is_ok());
    /// assert!(media.decode(&[0x80; 11]).is_err());
    /// assert!(!media.shape().matches(&[0x00; 12]));
    /// ```
    #[must_use]
    fn shaped(self, shape: Shape) -> Shaped<Self>
    where
        Self: Sized,
    {
        Shaped::new(self, shape)
    }

    /// Combines this protocol with another one, which receives the datagrams that this one does not
    /// [claim](Claim). So several protocols share a port.
    ///
    /// Each datagram is decoded by exactly one protocol, which is chosen before decoding. If that
    /// one refuses the datagram, no other one is tried. Packets are [`Either`](crate::Either), and
    /// the side of a packet chooses the protocol that encodes it. If an earlier protocol claims the
    /// encoded bytes, `encode` returns an error.
    ///
    /// The last protocol receives all remaining datagrams, including the empty one, unless it has a
    /// condition too.
    ///
    /// # Examples
    ///
    /// Three protocols on a port, distinguished by their first byte as in [RFC 7983]:
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Either, Raw, Text, first_byte};
    ///
    /// let stun = Raw.when(first_byte(0..=3));
    /// let media = Raw.when(first_byte(128..=191));
    /// let protocol = stun.or(media).or(Text);
    ///
    /// assert!(matches!(protocol.decode(&[0x00, 0x01])?, Either::Left(Either::Left(_))));
    /// assert!(matches!(protocol.decode(&[0x80, 0x60])?, Either::Left(Either::Right(_))));
    /// assert_eq!(protocol.decode(b"hello")?, Either::Right("hello".to_owned()));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    ///
    /// [`Either`](crate::Either) shows how to make one enum of several protocols.
    ///
    /// [RFC 7983]: https://www.rfc-editor.org/rfc/rfc7983
    #[must_use]
    fn or<P>(self, other: P) -> Choice<Self, P>
    where
        Self: Claim + Sized,
        P: DatagramProtocol,
    {
        Choice::new(self, other)
    }
}

/// A protocol that recognizes its own datagrams, so that another protocol can share the port:
/// [`protocol.or(…)`](DatagramProtocol::or).
///
/// [`protocol.when(…)`](DatagramProtocol::when) adds a condition to any protocol, and the result
/// implements this trait. So do [`protocol.shaped(…)`](DatagramProtocol::shaped), a protocol whose
/// last (outermost) layer is [`Prefix`](crate::Prefix), `one.or(other)` if both claim, and
/// `protocol.convert(…)` if `protocol` claims. Implement it for a protocol of your own if a simple condition is not enough.
///
/// An implementation must claim every datagram that it encodes. It should be cheap: it runs for
/// each received datagram, and more than once in a choice of several protocols.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Claim, DatagramProtocol, DecodeError, EncodeError, Text};
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
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which datagrams belong to it",
    label = "expected a protocol with a condition or a prefix",
    note = "write `protocol.when(first_byte(128..=191))` or `protocol.layer(Prefix::new(*b\"magic\"))`"
)]
pub trait Claim: DatagramProtocol {
    /// Returns whether `datagram` belongs to this protocol. The datagram may still be invalid.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Claim, DatagramProtocol, Prefix, TextLine};
    ///
    /// let protocol = TextLine::new().layer(Prefix::new(*b"L"));
    ///
    /// assert!(protocol.claims(b"Lhello"));
    /// assert!(protocol.claims(b"L\xff")); // although this is not ASCII
    /// assert!(!protocol.claims(b"hello"));
    /// ```
    #[must_use]
    fn claims(&self, datagram: &[u8]) -> bool;
}
