//! MessagePack.

mod notation;

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use self::notation::Markers;
use crate::{
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    serde_format::described,
};

/// [MessagePack] of serde types: `I` is received, `O` is sent.
///
/// Self-describing as JSON is, in fewer bytes. Structs are maps of names to
/// fields, an enum's variant is its name, or a map of its name to its content; integers take the
/// shortest form, floats the width of their type. `Vec<u8>` is an array of integers; where the
/// other side wants the binary form, use a type such as those of the crate `serde_bytes`. What
/// MessagePack has no form for: integers of 128 bits, which are 16 bytes of binary, big-endian,
/// and `Some(None)` and `Some(())`, which read as `None`.
///
/// Read leniently where the sender's language may know less of types:
///
/// - for a struct, an array of its fields; for a variant, its place as an integer, as `rmp_serde` once wrote it;
/// - for bytes, text; for a `String` or a name, binary that is UTF-8;
/// - for a float, an integer; for an integer, a float that is whole and in range, as JavaScript writes those beyond 32
///   bits (`-0.0` is 0). Under serde's attributes `untagged`, `flatten` and `tag` it stays a float, since serde keeps it
///   before it knows the type: take an `f64` there. The wider form of a number is read for all.
///
/// Entries of a struct that it has no field for are skipped, whatever their key is, extensions too; a field given
/// twice is refused. Where a type asks for an extension, such as a timestamp, as those for the crate `rmp_serde` do (a
/// newtype struct that serde knows as `_ExtStruct`, around a tuple of an `i8` and bytes), it is read and written. The
/// extension of type 0 and the byte 0 is nil to all others, and in an `Option`: msgpackr sends it for `undefined`.
///
/// # Limits
///
/// A datagram costs what its bytes justify, whatever lengths it declares:
///
/// - Text and binary: at most what the datagram really holds.
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
/// A struct of an integer, 21 characters and eight floats takes 120 bytes, about 280 instructions to write and
/// 1,550 to read. Nothing is allocated but the packet.
///
/// [MessagePack]: https://github.com/msgpack/msgpack/blob/master/spec.md
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, Msgpack};
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
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
pub struct Msgpack<I, O = I> {
    levels: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Msgpack<I, O> {
    /// Creates the codec; both types are inferred from the handler or named: `Msgpack::<Question,
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
    /// use datagrammar_protocols::{DatagramProtocol, Msgpack};
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
}

plain!(Msgpack < I, O > { levels });
