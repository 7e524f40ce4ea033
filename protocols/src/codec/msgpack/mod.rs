//! MessagePack.

mod notation;

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use self::notation::Markers;
use crate::{
    accepts_empty::accepts_empty,
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::described,
    shape::Shape,
};

/// [MessagePack] of serde types: `I` is received, `O` is sent.
///
/// The types need serde: add `serde = { version = "1", features = ["derive"] }` to your program.
///
/// Self-describing like JSON, in fewer bytes. A struct is a map of names to fields. An enum variant
/// is its name, or a map of its name to its content. Integers take the shortest form, floats the
/// width of their type. `Vec<u8>` is an array of integers; if the other side needs the binary form,
/// use a type such as those of the crate `serde_bytes`. MessagePack has no integers of 128 bits:
/// they are written as 16 bytes of binary, in big-endian order. It cannot express `Some(None)` and
/// `Some(())`: they decode as `None`.
///
/// Decoding is lenient where the sender's language may know less about types:
///
/// - A struct may be an array of its fields. A variant may be its index as an integer, as old
///   versions of `rmp_serde` write it.
/// - Where the type has bytes, the datagram may have text. Where it has a `String` or a name, the
///   datagram may have binary that is UTF-8.
/// - Where the type has a float, the datagram may have an integer. Where it has an integer, the
///   datagram may have a float that is whole and in range: JavaScript writes integers beyond 32
///   bits as floats. `-0.0` is 0. With serde's attributes `untagged`, `flatten` and `tag` a float
///   is not converted, because serde does not know the type yet: use an `f64` there. Every type
///   accepts the wider forms of a number.
///
/// Entries for which a struct has no field are skipped, with any key and any value, also
/// extensions. A duplicate field is refused.
///
/// A type can read and write an extension, such as a timestamp, as with the crate `rmp_serde`: it
/// is a newtype struct with the serde name `_ExtStruct` around a tuple of an `i8` and bytes. For
/// types that are not extensions, and in an `Option`, the extension of type 0 with the byte 0
/// decodes as nil, because msgpackr sends it for `undefined`.
///
/// # Limits
///
/// Decoding uses memory in proportion to the real length of the datagram. A length that is only
/// declared reserves nothing. These limits apply:
///
/// - Text and binary: at most the bytes that the datagram really holds.
/// - Arrays and maps: together at most as many elements as the datagram has bytes.
/// - Nesting: at most 100 levels, see [`nesting_limit`](Self::nesting_limit).
/// - A recursive type that contains itself by serde's attributes `untagged`, `flatten` or `tag` is
///   read from a copy that serde keeps, and copied again on each level. If variants overlap, the
///   time doubles with each level. Set a low nesting limit for such a type.
///
/// Encoding has no limits, so it can write packets that the other side refuses.
///
/// `source()` of an error is a text for people; its type may change in any version.
///
/// # Cost
///
/// A struct of an integer, 21 characters and eight floats takes 120 bytes, about 280 instructions
/// to write and 1,550 to read. Only the packet is allocated.
///
/// [MessagePack]: https://github.com/msgpack/msgpack/blob/master/spec.md
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Msgpack};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Deserialize, PartialEq, Serialize)]
/// struct Reading {
///     id: u32,
///     celsius: Option<i8>,
/// }
///
/// let protocol: Msgpack<Reading> = Msgpack::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Reading { id: 7, celsius: Some(-5) }, &mut datagram)?;
///
/// assert_eq!(datagram, b"\x82\xa2id\x07\xa7celsius\xfb");
/// assert_eq!(protocol.decode(b"\x81\xa2id\x07")?, Reading { id: 7, celsius: None });
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "messagepack")]
pub struct Msgpack<I, O = I> {
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Msgpack<I, O> {
    /// Creates the codec.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `Msgpack::<Question, Answer>::new()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Msgpack};
    ///
    /// let protocol: Msgpack<(u8, bool)> = Msgpack::new();
    ///
    /// assert_eq!(protocol.decode(b"\x92\x07\xc3")?, (7, true));
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: 100, types: PhantomData }
    }

    /// Sets how many levels deep a received packet may be nested. The default is 100, which fits a
    /// stack of 2 MiB by a wide margin.
    ///
    /// Each array, map and enum variant with content is a level, also in skipped entries. Without
    /// the limit, a datagram could make a recursive type use any amount of stack.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Msgpack};
    ///
    /// let protocol: Msgpack<Vec<Vec<u8>>> = Msgpack::new().nesting_limit(1);
    ///
    /// assert!(protocol.decode(&[0x90]).is_ok()); // an empty list
    /// assert!(protocol.decode(&[0x91, 0x90]).is_err()); // an empty list in a list
    /// ```
    #[must_use]
    pub const fn nesting_limit(self, levels: usize) -> Self {
        Self { levels, ..self }
    }
}

impl<I: DeserializeOwned, O: Serialize> DatagramProtocol for Msgpack<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let read = described::read::<Markers, _>(datagram, self.levels);
        described::whole(read, self.levels, "invalid MessagePack for the packet type", || {
            self.decode(datagram)
        })
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        described::write::<Markers, _>(packet, datagram).map_err(|error| {
            EncodeError::codec("MessagePack cannot express the packet").with_source(error)
        })
    }

    fn shape(&self) -> Shape {
        // Only a type that reads nothing accepts the empty datagram.
        Shape::lengths(usize::from(!accepts_empty(self))..)
    }
}

plain!(Msgpack < I, O > { levels });
