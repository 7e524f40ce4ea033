//! Fields one after another, each with the size of its type.

mod layout;
mod measure;
pub(crate) mod text;

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use self::{layout::Layout, measure::measure};
use crate::{
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::packed,
    shape::Shape,
};

/// A fixed layout of serde types: `I` is received, `O` is sent.
///
/// The fields follow each other in the order of the type, without names, lengths or padding, as in
/// the headers of RFCs and in packed structs of C. Numbers are in network order (big-endian), or
/// [`little_endian`](Self::little_endian).
///
/// | type | bytes |
/// | --- | --- |
/// | `u8` to `u128`, `i8` to `i128` | 1 to 16, two's complement |
/// | `f32`, `f64` | 4, 8, as in IEEE 754 |
/// | `bool` | 1: written as 0 or 1; any other byte decodes as `true` too |
/// | [`FixedText<N>`](crate::FixedText) | `N`: UTF-8, then NULs |
/// | arrays, tuples, structs | their elements |
/// | `Ipv4Addr`, `Ipv6Addr`, `Duration` | 4, 16, 12 |
/// | `()`, `PhantomData` | none |
///
/// A datagram must be exactly as long as its packet. The datagram contains no lengths. The types
/// need serde: add `serde = { version = "1", features = ["derive"] }` to your program.
///
/// These types have no fixed size, so encoding or decoding the first packet fails: `Vec`, `String`,
/// `Option`, maps, `char`, enums, and types with serde's attributes `flatten`, `tag`, `untagged`
/// and `skip_serializing_if`. With `try_from` and `into` an enum becomes a number of a chosen size,
/// as in the example. serde supports arrays of up to 32 elements; write 64 bytes as
/// `[[u8; 32]; 2]`.
///
/// [`shape`](DatagramProtocol::shape) finds out how long a packet is: it decodes bytes that it makes up. So the
/// length must not depend on the values, as a hand-written `Deserialize` can make it.
///
/// # Limits
///
/// Types may be nested 64 levels deep. That stops types that are recursive without end. Decoding
/// allocates only for text and boxes among the fields.
///
/// # Cost
///
/// A struct of an integer, a field of 24 characters and eight floats takes 96 bytes, about 170
/// instructions to write and 400 to read. Only the packet is allocated.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Fixed, FixedText};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Deserialize, PartialEq, Serialize)]
/// struct Score {
///     kind: Kind,
///     name: FixedText<6>,
///     points: u32,
/// }
///
/// /// One byte on the wire.
/// #[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
/// #[serde(into = "u8", try_from = "u8")]
/// enum Kind {
///     Interim = 1,
///     Final = 2,
/// }
///
/// impl From<Kind> for u8 {
///     fn from(kind: Kind) -> Self {
///         kind as Self
///     }
/// }
///
/// impl TryFrom<u8> for Kind {
///     type Error = &'static str;
///
///     fn try_from(kind: u8) -> Result<Self, Self::Error> {
///         match kind {
///             1 => Ok(Self::Interim),
///             2 => Ok(Self::Final),
///             _ => Err("kind is neither 1 nor 2"),
///         }
///     }
/// }
///
/// let protocol: Fixed<Score> = Fixed::new();
/// let score = Score { kind: Kind::Final, name: "John".into(), points: 20 };
///
/// let mut datagram = Vec::new();
/// protocol.encode(&score, &mut datagram)?;
///
/// assert_eq!(datagram, b"\x02John\0\0\0\0\0\x14");
/// assert_eq!(protocol.decode(&datagram)?, score);
/// assert!(protocol.decode(&datagram[1..]).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
pub struct Fixed<I, O = I> {
    order: Order,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Fixed<I, O> {
    /// Creates the codec in network order.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `Fixed::<Question, Answer>::new()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Fixed};
    ///
    /// let protocol: Fixed<(u8, u16)> = Fixed::new();
    ///
    /// assert_eq!(protocol.decode(&[1, 0, 2])?, (1, 2));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { order: Order::Network, types: PhantomData }
    }

    /// Decodes and encodes numbers with the least significant byte first, as most processors do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Fixed};
    ///
    /// let protocol: Fixed<(u8, u16)> = Fixed::new().little_endian();
    ///
    /// assert_eq!(protocol.decode(&[1, 2, 0])?, (1, 2));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn little_endian(self) -> Self {
        Self { order: Order::LittleEndian, ..self }
    }
}

impl<I: DeserializeOwned, O: Serialize> DatagramProtocol for Fixed<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let read = match self.order {
            Order::Network => packed::read::<Layout<true>, _>(datagram, LEVELS),
            Order::LittleEndian => packed::read::<Layout<false>, _>(datagram, LEVELS),
        };
        packed::whole(read, LEVELS, "invalid fixed layout for the packet type")
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let written = match self.order {
            Order::Network => packed::write::<Layout<true>, _>(packet, datagram),
            Order::LittleEndian => packed::write::<Layout<false>, _>(packet, datagram),
        };
        written.map_err(|error| {
            EncodeError::codec("a fixed layout cannot express the packet").with_source(error)
        })
    }

    fn shape(&self) -> Shape {
        let len = match self.order {
            Order::Network => measure::<Layout<true, true>, I>(LEVELS),
            Order::LittleEndian => measure::<Layout<false, true>, I>(LEVELS),
        };
        len.map_or_else(Shape::any, |len| Shape::lengths(len..=len))
    }
}

plain!(Fixed < I, O > { order });

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug)]
enum Order {
    Network,
    LittleEndian,
}

const LEVELS: usize = 64;
