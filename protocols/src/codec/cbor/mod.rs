//! CBOR, [RFC 8949].
//!
//! [RFC 8949]: https://www.rfc-editor.org/rfc/rfc8949

mod half;
mod head;
mod notation;

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use self::notation::Rfc8949;
use crate::{
    accepts_empty::accepts_empty,
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::described,
    shape::Shape,
};

/// CBOR ([RFC 8949]) of serde types: `I` is received, `O` is sent.
///
/// The types need serde: add `serde = { version = "1", features = ["derive"] }` to your program.
///
/// Self-describing like JSON, in fewer bytes. A struct is a map of names to fields. An enum variant
/// is its name, or a map of its name to its content. Integers and floats take the shortest form
/// that loses nothing: a float of 1.5 takes three bytes. Integers beyond 64 bits are tags 2 and 3.
/// Lengths are definite. `Vec<u8>` is an array of integers; if the other side needs a byte string,
/// use a type such as those of the crate `serde_bytes`. CBOR cannot express `Some(None)` and
/// `Some(())`: they decode as `None`, also with tags around them.
///
/// Decoding accepts every width of a number, and definite and indefinite lengths. It also accepts:
///
/// - An integer, if the type has a float. And a float, if the type has an integer and the float is
///   whole and in range: JavaScript writes integers beyond 32 bits as floats. `-0.0` is 0. With
///   serde's attributes `untagged`, `flatten` and `tag` a float is not converted, because serde
///   does not know the type yet: use an `f64` there.
/// - A byte string as the name of a field or variant.
///
/// Tags are skipped unless the type asks for them. Entries for which a struct has no field are
/// skipped, with any key and any value; both may also be an unassigned simple value. A duplicate
/// field is refused. The types of `ciborium::tag` read and write tags. So does any enum that serde
/// knows as `@@TAG@@`, with the variants `@@TAGGED@@` and `@@UNTAGGED@@` as in ciborium. A type
/// that takes any value, such as `ciborium::Value`, sees no tags.
///
/// # Limits
///
/// Decoding uses memory in proportion to the real length of the datagram. A length that is only
/// declared reserves nothing. These limits apply:
///
/// - Text and byte strings: at most the bytes that the datagram really holds.
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
/// A struct of an integer, 21 characters and eight floats takes 98 bytes, about 650 instructions to
/// write and 1,850 to read. Only the packet is allocated.
///
/// [RFC 8949]: https://www.rfc-editor.org/rfc/rfc8949
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Cbor, DatagramProtocol};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Deserialize, PartialEq, Serialize)]
/// struct Reading {
///     id: u32,
///     celsius: Option<f64>,
/// }
///
/// let protocol: Cbor<Reading> = Cbor::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Reading { id: 7, celsius: Some(1.5) }, &mut datagram)?;
///
/// assert_eq!(datagram, b"\xa2\x62id\x07\x67celsius\xf9\x3e\x00");
/// assert_eq!(protocol.decode(b"\xa1\x62id\x07")?, Reading { id: 7, celsius: None });
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
pub struct Cbor<I, O = I> {
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Cbor<I, O> {
    /// Creates the codec.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `Cbor::<Question, Answer>::new()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Cbor, DatagramProtocol};
    ///
    /// let protocol: Cbor<(u8, bool)> = Cbor::new();
    ///
    /// assert_eq!(protocol.decode(b"\x82\x07\xf5")?, (7, true));
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
    /// use datagrammar::{Cbor, DatagramProtocol};
    ///
    /// let protocol: Cbor<Vec<Vec<u8>>> = Cbor::new().nesting_limit(1);
    ///
    /// assert!(protocol.decode(&[0x80]).is_ok()); // an empty list
    /// assert!(protocol.decode(&[0x81, 0x80]).is_err()); // an empty list in a list
    /// ```
    #[must_use]
    pub const fn nesting_limit(self, levels: usize) -> Self {
        Self { levels, ..self }
    }
}

impl<I: DeserializeOwned, O: Serialize> DatagramProtocol for Cbor<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let read = described::read::<Rfc8949, _>(datagram, self.levels);
        described::whole(read, self.levels, "invalid CBOR for the packet type", || {
            self.decode(datagram)
        })
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        described::write::<Rfc8949, _>(packet, datagram).map_err(|error| {
            EncodeError::codec("CBOR cannot express the packet").with_source(error)
        })
    }

    fn shape(&self) -> Shape {
        // Only a type that reads nothing accepts the empty datagram.
        Shape::lengths(usize::from(!accepts_empty(self))..)
    }
}

plain!(Cbor < I, O > { levels });
