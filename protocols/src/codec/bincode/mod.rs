//! The wire format of bincode 2.

mod form;

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use self::form::{Legacy, Standard};
use crate::{
    accepts_empty::accepts_empty,
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::packed,
    shape::Shape,
};

/// The wire format of bincode 2 for serde types: `I` is received, `O` is sent.
///
/// Compact, and not self-describing: both sides must have the same types. They need serde: add
/// `serde = { version = "1", features = ["derive"] }` to your program. Numbers are little-endian.
///
/// - Integers of 0 to 250 take one byte. Larger ones take a marker (`fb`, `fc`, `fd`, `fe`) and 2,
///   4, 8 or 16 bytes. Signed ones are zigzag-coded first.
/// - Floats are IEEE 754.
/// - Text, sequences and maps come after their length.
/// - The content of an enum comes after the number of its variant.
/// - Structs and tuples are their fields and nothing else.
///
/// [`fixed`](Self::fixed) selects the form of bincode 1.x.
///
/// For a new protocol prefer `Postcard`: the crate bincode, which defines this format, is no longer
/// maintained (RUSTSEC-2025-0141). This codec does not use that crate.
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
/// - Datagram: at most 1 MiB. No UDP datagram is that long; datagrams of other transports can be
///   longer.
///
/// Encoding has no limits, so it can write packets that the other side refuses.
///
/// `source()` of an error is a text for people; its type may change in any version.
///
/// # Cost
///
/// A struct of an integer, 21 characters and eight floats takes 95 bytes, about 180 instructions to
/// write and 460 to read. Only the packet is allocated.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Bincode, DatagramProtocol};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Deserialize, PartialEq, Serialize)]
/// enum Command {
///     Ping,
///     Add { a: u32, b: u32 },
/// }
///
/// let protocol: Bincode<Command> = Bincode::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Command::Add { a: 7, b: 300 }, &mut datagram)?;
///
/// assert_eq!(datagram, [0x01, 0x07, 0xfb, 0x2c, 0x01]);
/// assert_eq!(protocol.decode(&[0x00])?, Command::Ping);
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
pub struct Bincode<I, O = I> {
    form: Form,
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Bincode<I, O> {
    /// Creates the codec in bincode 2's standard form.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `Bincode::<Question, Answer>::new()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Bincode, DatagramProtocol};
    ///
    /// let protocol: Bincode<(u8, bool)> = Bincode::new();
    ///
    /// assert_eq!(protocol.decode(&[7, 1])?, (7, true));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { form: Form::Variable, levels: 64, types: PhantomData }
    }

    /// Selects the form of bincode 1.x: integers in their full width, lengths in 8 bytes, variant
    /// numbers in 4.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Bincode, DatagramProtocol};
    ///
    /// let protocol: Bincode<String> = Bincode::new().fixed();
    ///
    /// assert_eq!(protocol.decode(b"\x02\0\0\0\0\0\0\0hi")?, "hi");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn fixed(self) -> Self {
        Self { form: Form::Fixed, ..self }
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
    /// use datagrammar::{Bincode, DatagramProtocol};
    ///
    /// let protocol: Bincode<Vec<Vec<u8>>> = Bincode::new().nesting_limit(1);
    ///
    /// assert!(protocol.decode(&[0]).is_ok()); // an empty list
    /// assert!(protocol.decode(&[1, 0]).is_err()); // an empty list in a list
    /// ```
    #[must_use]
    pub const fn nesting_limit(self, levels: usize) -> Self {
        Self { levels, ..self }
    }
}

impl<I: DeserializeOwned, O: Serialize> DatagramProtocol for Bincode<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        if datagram.len() > SIZE_LIMIT {
            return Err(DecodeError::codec("the datagram is longer than 1 MiB"));
        }
        let read = match self.form {
            Form::Variable => packed::read::<Standard, _>(datagram, self.levels),
            Form::Fixed => packed::read::<Legacy, _>(datagram, self.levels),
        };
        packed::whole(read, self.levels, "invalid bincode for the packet type")
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let written = match self.form {
            Form::Variable => packed::write::<Standard, _>(packet, datagram),
            Form::Fixed => packed::write::<Legacy, _>(packet, datagram),
        };
        written.map_err(|error| {
            EncodeError::codec("bincode cannot express the packet").with_source(error)
        })
    }

    fn shape(&self) -> Shape {
        // Only a type that reads nothing accepts the empty datagram.
        Shape::lengths(usize::from(!accepts_empty(self))..)
    }
}

plain!(Bincode<I, O> { form, levels });

#[derive(Clone, Copy, Debug)]
enum Form {
    Variable,
    Fixed,
}

const SIZE_LIMIT: usize = 1024 * 1024; // bytes
