//! The trait that converts between the packets on the wire and the packets of a domain.

use crate::error::BoxError;

/// Converts the packets on the wire to types of your domain, and back. It may refuse a packet in
/// both directions.
///
/// A codec checks the format of a packet, a converter checks its meaning. So the rest of your
/// program sees only valid values, and needs no more checks.
///
/// Implement it for a type of your own. Or use [`converter_fn()`](crate::converter_fn()) for two
/// closures, or [`TryConvert`](crate::TryConvert) if the types already implement [`TryFrom`] or
/// [`From`].
///
/// # Examples
///
/// A converter that refuses unknown names. The known names are a setting of the converter:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{BoxError, Converter, DatagramProtocol, Text};
///
/// struct Known(&'static [&'static str]);
///
/// impl Converter for Known {
///     type WireIncoming = String;
///     type Incoming = &'static str;
///     type Outgoing = &'static str;
///     type WireOutgoing = String;
///
///     fn convert_incoming(&self, packet: String) -> Result<&'static str, BoxError> {
///         let known = self.0.iter().find(|name| **name == packet);
///         known.copied().ok_or_else(|| "the name is not known".into())
///     }
///
///     fn convert_outgoing(&self, packet: &&'static str) -> Result<String, BoxError> {
///         Ok((*packet).to_owned())
///     }
/// }
///
/// let protocol = Text.convert(Known(&["kitchen", "cellar"]));
///
/// assert_eq!(protocol.decode(b"cellar")?, "cellar");
/// assert!(protocol.decode(b"attic").is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a converter",
    label = "expected a converter such as `TryConvert::new()` or `converter_fn(incoming, outgoing)`"
)]
pub trait Converter {
    /// The packet that the inner protocol decodes.
    type WireIncoming;

    /// The packet that this endpoint receives.
    type Incoming;

    /// The packet that this endpoint sends.
    type Outgoing;

    /// The packet that the inner protocol encodes.
    type WireOutgoing;

    /// Converts a packet that was decoded.
    ///
    /// # Errors
    ///
    /// Returns the reason if it refuses the packet. The reason becomes the source of a
    /// [`DecodeError`](crate::DecodeError).
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{BoxError, Converter, converter_fn};
    ///
    /// let converter = converter_fn(
    ///     |wire: u16| u8::try_from(wire),
    ///     |sent: &u8| Ok::<_, BoxError>(u16::from(*sent)),
    /// );
    ///
    /// assert_eq!(converter.convert_incoming(7)?, 7);
    /// assert!(converter.convert_incoming(700).is_err());
    /// # Ok::<(), BoxError>(())
    /// ```
    fn convert_incoming(&self, packet: Self::WireIncoming) -> Result<Self::Incoming, BoxError>;

    /// Converts a packet before it is encoded.
    ///
    /// # Errors
    ///
    /// Returns the reason if it refuses the packet. The reason becomes the source of an
    /// [`EncodeError`](crate::EncodeError).
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{BoxError, Converter, converter_fn};
    ///
    /// let converter = converter_fn(
    ///     |wire: u8| Ok::<_, BoxError>(wire),
    ///     |sent: &u16| u8::try_from(*sent),
    /// );
    ///
    /// assert_eq!(converter.convert_outgoing(&7)?, 7);
    /// assert!(converter.convert_outgoing(&700).is_err());
    /// # Ok::<(), BoxError>(())
    /// ```
    fn convert_outgoing(&self, packet: &Self::Outgoing) -> Result<Self::WireOutgoing, BoxError>;
}
