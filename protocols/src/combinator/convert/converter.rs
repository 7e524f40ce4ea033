//! The trait of what stands between the packets on the wire and those of a domain.

use crate::error::BoxError;

/// Turns packets as they are on the wire into those of your domain, and back; it may refuse both
/// ways.
///
/// A codec knows the shape of a packet, a converter what it means. What it lets through needs no
/// more checks, so a handler sees valid values only.
///
/// Implement it for a type of your own, or use [`converter_fn()`](crate::converter_fn()) for two closures, or
/// [`TryConvert`](crate::TryConvert) where the types have [`TryFrom`] or [`From`] already.
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
    /// Returns why the packet is refused; it becomes the source of a [`DecodeError`](crate::DecodeError).
    fn convert_incoming(&self, packet: Self::WireIncoming) -> Result<Self::Incoming, BoxError>;

    /// Converts a packet that is to be encoded.
    ///
    /// # Errors
    ///
    /// Returns why the packet is refused; it becomes the source of an [`EncodeError`](crate::EncodeError).
    fn convert_outgoing(&self, packet: &Self::Outgoing) -> Result<Self::WireOutgoing, BoxError>;
}
