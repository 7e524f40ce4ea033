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
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::described,
};

/// CBOR ([RFC 8949]) of serde types: `I` is received, `O` is sent.
///
/// Self-describing as JSON is, in fewer bytes. Structs are maps of names to
/// fields, an enum's variant is its name, or a map of its name to its content. Integers and floats
/// take the shortest form that loses nothing, a float of 1.5 three bytes; integers beyond 64 bits
/// are tags 2 and 3; lengths are definite. `Vec<u8>` is an array of integers; where the other side
/// wants a byte string, use a type such as those of the crate `serde_bytes`. `Some(None)` and `Some(())` have no
/// CBOR of their own and read as `None`, with tags around them, too.
///
/// Every width of a number is read, and every length, definite or not. Read is also
///
/// - for a float, an integer; for an integer, a float that is whole and in range, as JavaScript writes those beyond 32
///   bits (`-0.0` is 0). Under serde's attributes `untagged`, `flatten` and `tag` it stays a float, since serde keeps it
///   before it knows the type: take an `f64` there;
/// - for the name of a field or variant, a byte string.
///
/// Tags that no type asks for are skipped, and so are entries of a struct that it has no field for, whatever their key
/// is, with simple values that nobody has assigned yet, too; a field given twice is refused. The types of
/// `ciborium::tag` ask for tags and write them: any type can that uses the same names. One that takes whatever comes,
/// such as `ciborium::Value`, sees no tags.
///
/// # Limits
///
/// A datagram costs what its bytes justify, whatever lengths it declares:
///
/// - Text and byte strings: at most what the datagram really holds.
/// - Arrays and maps: together at most as many elements as the datagram has bytes.
/// - Nesting: at most 100 levels, see [`nesting_limit`](Self::nesting_limit).
/// - A type that contains itself by serde's attributes `untagged`, `flatten` or `tag` is read from a copy that
///   serde keeps, and copied again on each level; where variants overlap, the time doubles with each level. Give
///   such a type a low limit of nesting.
///
/// Encoding has no limits, so it can write packets that the other side refuses.
///
/// The source of an error is for people to read; its type may change.
///
/// # Cost
///
/// A struct of an integer, 21 characters and eight floats takes 98 bytes, about 650 instructions to write and
/// 1,850 to read. Nothing is allocated but the packet.
///
/// [RFC 8949]: https://www.rfc-editor.org/rfc/rfc8949
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{Cbor, DatagramProtocol};
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
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
pub struct Cbor<I, O = I> {
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Cbor<I, O> {
    /// Creates the codec; both types are inferred from the handler or named: `Cbor::<Question,
    /// Answer>::new()`.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: 100, types: PhantomData }
    }

    /// Sets how many levels deep a packet that is received may be nested.
    ///
    /// Each array, map and enum variant with content is a level, those that are skipped too. The
    /// limit is there for types that contain themselves: without it a datagram would choose how
    /// much stack they take. The default is 100, which fits a stack of 2 MiB by a wide margin.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{Cbor, DatagramProtocol};
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
}

plain!(Cbor < I, O > { levels });
