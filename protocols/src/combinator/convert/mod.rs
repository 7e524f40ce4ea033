//! Converters: from the types on the wire to those of a domain, and back.

mod converter_fn;
mod try_convert;

pub use converter_fn::{ConverterFn, converter_fn};
pub use try_convert::TryConvert;

use crate::{BoxError, Claim, DatagramProtocol, DecodeError, EncodeError};

/// Turns packets as they are on the wire into those of your domain, and back; it may refuse both
/// ways.
///
/// A codec knows the shape of a packet, a converter what it means. What it lets through needs no
/// more checks, so a handler sees valid values only.
///
/// Implement it for a type of your own, or use [`converter_fn()`] for two closures, or
/// [`TryConvert`] where the types have [`TryFrom`] or [`From`] already.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a converter",
    label = "expected a converter such as `TryConvert::new()` or `converter_fn(incoming, outgoing)`"
)]
pub trait Converter {
    /// The packet as the protocol inside decodes it.
    type WireIncoming;

    /// The packet that this endpoint receives.
    type Incoming;

    /// The packet that this endpoint sends.
    type Outgoing;

    /// The packet as the protocol inside encodes it.
    type WireOutgoing;

    /// Converts a packet that was decoded.
    ///
    /// # Errors
    ///
    /// Returns why the packet is refused; it becomes the source of a [`DecodeError`].
    fn convert_incoming(&self, packet: Self::WireIncoming) -> Result<Self::Incoming, BoxError>;

    /// Converts a packet that is to be encoded.
    ///
    /// # Errors
    ///
    /// Returns why the packet is refused; it becomes the source of an [`EncodeError`].
    fn convert_outgoing(&self, packet: &Self::Outgoing) -> Result<Self::WireOutgoing, BoxError>;
}

/// A protocol with a converter around it, made by [`DatagramProtocol::convert`].
///
/// What the protocol inside cannot decode, the converter never sees.
#[derive(Clone, Copy, Debug, Default)]
pub struct Convert<P, C> {
    protocol: P,
    converter: C,
}

impl<P, C> Convert<P, C> {
    pub(crate) const fn new(protocol: P, converter: C) -> Self {
        Self { protocol, converter }
    }
}

impl<P, C> DatagramProtocol for Convert<P, C>
where
    P: DatagramProtocol,
    C: Converter<WireIncoming = P::Incoming, WireOutgoing = P::Outgoing>,
{
    type Incoming = C::Incoming;
    type Outgoing = C::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let packet = self.protocol.decode(datagram)?;
        self.converter.convert_incoming(packet).map_err(|source| {
            DecodeError::converter("a packet that the converter accepts was expected")
                .with_source(source)
        })
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let packet = self.converter.convert_outgoing(packet).map_err(|source| {
            EncodeError::converter("a packet that the converter accepts was expected")
                .with_source(source)
        })?;
        self.protocol.encode(&packet, datagram)
    }
}

impl<P, C> Claim for Convert<P, C>
where
    P: Claim,
    C: Converter<WireIncoming = P::Incoming, WireOutgoing = P::Outgoing>,
{
    fn claims(&self, datagram: &[u8]) -> bool {
        self.protocol.claims(datagram)
    }
}
