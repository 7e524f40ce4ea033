//! A converter made of `TryFrom` and `From`.

use std::marker::PhantomData;

use super::converter::Converter;
use crate::{error::BoxError, plain::plain};

/// Converts packets with the [`TryFrom`] or [`From`] impls of their types.
///
/// It makes `I` (incoming) from `WI` (wire incoming), and `WO` (wire outgoing) from `&O`
/// (outgoing). The inner protocol decodes `WI` and encodes `WO`. The compiler infers all four types
/// if the inner protocol and your program name them.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Text, TryConvert};
///
/// struct Port(u16);
///
/// impl TryFrom<String> for Port {
///     type Error = std::num::ParseIntError;
///
///     fn try_from(text: String) -> Result<Self, Self::Error> {
///         text.parse().map(Self)
///     }
/// }
///
/// impl From<&Port> for String {
///     fn from(port: &Port) -> Self {
///         port.0.to_string()
///     }
/// }
///
/// let protocol = Text.convert(TryConvert::<_, Port, Port, _>::new());
///
/// assert_eq!(protocol.decode(b"9000")?.0, 9000);
/// assert!(protocol.decode(b"90000").is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
pub struct TryConvert<WI, I, O, WO> {
    incoming: PhantomData<fn(WI) -> I>,
    outgoing: PhantomData<fn(O) -> WO>,
}

impl<WI, I, O, WO> TryConvert<WI, I, O, WO> {
    /// Creates the converter.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Converter, TryConvert};
    ///
    /// let converter = TryConvert::<u16, u8, String, String>::new();
    ///
    /// assert_eq!(converter.convert_incoming(7)?, 7);
    /// assert!(converter.convert_incoming(700).is_err());
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { incoming: PhantomData, outgoing: PhantomData }
    }
}

impl<WI, I, O, WO> Converter for TryConvert<WI, I, O, WO>
where
    I: TryFrom<WI, Error: Into<BoxError>>,
    WO: for<'a> TryFrom<&'a O, Error: Into<BoxError>>,
{
    type WireIncoming = WI;
    type Incoming = I;
    type Outgoing = O;
    type WireOutgoing = WO;

    fn convert_incoming(&self, packet: WI) -> Result<I, BoxError> {
        I::try_from(packet).map_err(Into::into)
    }

    fn convert_outgoing(&self, packet: &O) -> Result<WO, BoxError> {
        WO::try_from(packet).map_err(Into::into)
    }
}

plain!(TryConvert < WI, I, O, WO > {});
