//! The wire format of postcard 1.

mod leb128;

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use self::leb128::Leb128;
use crate::{
    accepts_empty::accepts_empty,
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::packed,
    shape::Shape,
};

/// The [wire format of postcard 1] for serde types: `I` is received, `O` is sent.
///
/// The smallest of the codecs, and not self-describing: both sides must have the same types. They
/// need serde: add `serde = { version = "1", features = ["derive"] }` to your program.
///
/// - Integers beyond 8 bits have 7 bits per byte, the lowest first; signed ones are zigzag-coded
///   first.
/// - Floats are IEEE 754, little-endian.
/// - Text, sequences and maps come after their length.
/// - The content of an enum comes after the number of its variant.
/// - Structs and tuples are their fields and nothing else.
///
/// So a new field or variant, even at the end, or another order changes the format. Add a version
/// to the datagrams, for example with a [`Prefix`](crate::Prefix).
///
/// serde attributes that need a self-describing format do not work here, among them `flatten`,
/// `untagged`, `tag` and `skip_serializing_if`.
///
/// # Limits
///
/// Decoding uses memory in proportion to the real length of the datagram. A length that is only
/// declared reserves nothing. These limits apply:
///
/// - Text and bytes: at most the bytes that the datagram really holds.
/// - Sequences and maps: together at most as many elements as the datagram has bytes, and 1,024
///   more for elements that take no bytes, such as `()`.
/// - Nesting: at most 64 levels, see [`nesting_limit`](Self::nesting_limit).
///
/// Encoding has no limits, so it can write packets that the other side refuses.
///
/// `source()` of an error is a text for people; its type may change in any version.
///
/// # Cost
///
/// A struct of an integer, 21 characters and eight floats takes 93 bytes, about 230 instructions to
/// write and 450 to read. Only the packet is allocated.
///
/// [wire format of postcard 1]: https://postcard.jamesmunns.com/wire-format
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Postcard};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Deserialize, PartialEq, Serialize)]
/// enum Command {
///     Ping,
///     Add { a: u32, b: u32 },
/// }
///
/// let protocol: Postcard<Command> = Postcard::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Command::Add { a: 7, b: 300 }, &mut datagram)?;
///
/// assert_eq!(datagram, [0x01, 0x07, 0xac, 0x02]);
/// assert_eq!(protocol.decode(&[0x00])?, Command::Ping);
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
pub struct Postcard<I, O = I> {
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Postcard<I, O> {
    /// Creates the codec.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `Postcard::<Question, Answer>::new()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Postcard};
    ///
    /// let protocol: Postcard<(u8, bool)> = Postcard::new();
    ///
    /// assert_eq!(protocol.decode(&[7, 1])?, (7, true));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: 64, types: PhantomData }
    }

    /// Sets how many levels deep a received packet may be nested. The default is 64, which fits a
    /// stack of 2 MiB by a wide margin.
    ///
    /// Each sequence, map, tuple, struct, newtype, `Some` and enum variant with content is a level,
    /// so a list whose nodes are structs linked by `Option<Box<_>>` takes two levels per node.
    /// Without the limit, a datagram could make a recursive type use any amount of stack.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Postcard};
    ///
    /// let protocol: Postcard<Vec<Vec<u8>>> = Postcard::new().nesting_limit(1);
    ///
    /// assert!(protocol.decode(&[0]).is_ok()); // an empty list
    /// assert!(protocol.decode(&[1, 0]).is_err()); // an empty list in a list
    /// ```
    #[must_use]
    pub const fn nesting_limit(self, levels: usize) -> Self {
        Self { levels, ..self }
    }
}

impl<I: DeserializeOwned, O: Serialize> DatagramProtocol for Postcard<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let read = packed::read::<Leb128, _>(datagram, self.levels);
        packed::whole(read, self.levels, "invalid postcard for the packet type")
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        packed::write::<Leb128, _>(packet, datagram).map_err(|error| {
            EncodeError::codec("postcard cannot express the packet").with_source(error)
        })
    }

    fn shape(&self) -> Shape {
        // Only a type that reads nothing accepts the empty datagram.
        Shape::lengths(usize::from(!accepts_empty(self))..)
    }
}

plain!(Postcard < I, O > { levels });
