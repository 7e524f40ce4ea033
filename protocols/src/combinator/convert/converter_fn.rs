//! A converter made of two closures.

use std::{fmt, marker::PhantomData};

use super::converter::Converter;
use crate::error::BoxError;

/// Makes a converter of two closures: one for what is received, one for what is sent.
///
/// Each returns a `Result` whose error may be any error or text; one that fails in several ways
/// says `-> Result<_, BoxError>`. The arguments need their types written out: nothing else names
/// them.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use datagrammar_protocols::{DatagramProtocol, Text, converter_fn};
///
/// let protocol = Text.convert(converter_fn(
///     |text: String| text.parse::<u16>(),
///     |port: &u16| Ok::<_, Infallible>(port.to_string()),
/// ));
///
/// assert_eq!(protocol.decode(b"9000")?, 9000);
/// assert!(protocol.decode(b"90000").is_err());
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
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

/// A converter of two closures, made by [`converter_fn`].
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

impl<F, G, WI, O> fmt::Debug for ConverterFn<F, G, WI, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConverterFn").finish_non_exhaustive()
    }
}
