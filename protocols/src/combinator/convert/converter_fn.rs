//! A converter made of two closures.

use std::{fmt, marker::PhantomData};

use super::converter::Converter;
use crate::error::BoxError;

/// Makes a converter of two closures: `incoming` converts received packets, `outgoing` converts
/// packets to send.
///
/// Each closure returns a `Result`. Its error type may be any error type or text; a closure with
/// several error types needs `-> Result<_, BoxError>`. Write the types of the arguments, since the
/// compiler cannot infer them.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use std::convert::Infallible;
/// use datagrammar::{DatagramProtocol, Text, converter_fn};
///
/// let protocol = Text.convert(converter_fn(
///     |text: String| text.parse::<u16>(),
///     |port: &u16| Ok::<_, Infallible>(port.to_string()),
/// ));
///
/// assert_eq!(protocol.decode(b"9000")?, 9000);
/// assert!(protocol.decode(b"90000").is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[must_use]
pub const fn converter_fn<F, G, WI, I, O, WO, E1, E2>(
    incoming: F,
    outgoing: G,
) -> ConverterFn<F, G, WI, O>
where
    F: Fn(WI) -> Result<I, E1>,
    G: Fn(&O) -> Result<WO, E2>,
    E1: Into<BoxError>,
    E2: Into<BoxError>,
{
    ConverterFn { incoming, outgoing, arguments: PhantomData }
}

/// A converter made of two closures. [`converter_fn`] makes it.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{BoxError, Converter, ConverterFn, converter_fn};
///
/// type Port = ConverterFn<
///     fn(String) -> Result<u16, std::num::ParseIntError>,
///     fn(&u16) -> Result<String, BoxError>,
///     String,
///     u16,
/// >;
///
/// let converter: Port = converter_fn(|text| text.parse(), |port| Ok(port.to_string()));
///
/// assert_eq!(converter.convert_incoming("9000".to_owned())?, 9000);
/// assert_eq!(converter.convert_outgoing(&9000)?, "9000");
/// # Ok::<(), BoxError>(())
/// ```
pub struct ConverterFn<F, G, WI, O> {
    incoming: F,
    outgoing: G,
    arguments: PhantomData<fn(WI, O)>,
}

impl<F, G, WI, I, O, WO, E1, E2> Converter for ConverterFn<F, G, WI, O>
where
    F: Fn(WI) -> Result<I, E1>,
    G: Fn(&O) -> Result<WO, E2>,
    E1: Into<BoxError>,
    E2: Into<BoxError>,
{
    type WireIncoming = WI;
    type Incoming = I;
    type Outgoing = O;
    type WireOutgoing = WO;

    fn convert_incoming(&self, packet: WI) -> Result<I, BoxError> {
        (self.incoming)(packet).map_err(Into::into)
    }

    fn convert_outgoing(&self, packet: &O) -> Result<WO, BoxError> {
        (self.outgoing)(packet).map_err(Into::into)
    }
}

impl<F: Clone, G: Clone, WI, O> Clone for ConverterFn<F, G, WI, O> {
    fn clone(&self) -> Self {
        Self {
            incoming: self.incoming.clone(),
            outgoing: self.outgoing.clone(),
            arguments: PhantomData,
        }
    }
}

impl<F: Copy, G: Copy, WI, O> Copy for ConverterFn<F, G, WI, O> {}

impl<F, G, WI, O> fmt::Debug for ConverterFn<F, G, WI, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConverterFn").finish_non_exhaustive()
    }
}
