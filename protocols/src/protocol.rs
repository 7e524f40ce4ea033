//! The trait that everything else in this crate implements.

use std::sync::Arc;

use crate::{Convert, Converter, DecodeError, EncodeError, Layer, Layered};

/// Maps packets to datagrams and back, one to one.
///
/// A datagram is the octets the network carries in one piece; a packet is the typed value it stands
/// for. A protocol is what both endpoints agree on. It comes as a codec ([`Raw`](crate::Raw),
/// [`Text`](crate::Text), …), as a [`Convert`] around another protocol, or written by hand: see the
/// [crate documentation](crate) for an example.
///
/// # What an implementation keeps to
///
/// - **One datagram is exactly one packet.** There is no "more octets are needed" and nothing is
///   left over for later.
/// - **No memory.** The result depends on the argument alone, never on the datagrams before it,
///   which is why both methods take `&self`. One value serves all peers.
/// - **No panic.** Every datagram comes from a stranger; whatever it holds, `decode` returns, and
///   reserves no more memory than the octets it has really got can justify.
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
    /// Octets left over after the packet are an error. The empty datagram is a datagram as any
    /// other.
    ///
    /// # Errors
    ///
    /// Returns an error if `datagram` is not exactly one packet, with the [kind](DecodeError::kind)
    /// of what refused it.
    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError>;

    /// Appends the octets of `packet` to `datagram`.
    ///
    /// What is in the buffer already stays as it is. When encoding fails, the caller discards what
    /// was appended, usually by truncating the buffer to the length it had; the servers and clients
    /// of `datagrammar` do.
    ///
    /// # Errors
    ///
    /// Returns an error if the protocol has no octets for `packet`.
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
    ///             return Err("a temperature above absolute zero was expected".into());
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

    /// Puts a layer around this protocol, which changes its octets.
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
