//! Protocol Buffers, by prost.

use std::marker::PhantomData;

use prost::Message;

use crate::{
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
};

/// [Protocol Buffers] of types made by [prost] 0.14: `I` is received, `O` is sent.
///
/// The whole datagram is one message, without a length before it. The types are made from `.proto`
/// files by `prost-build`, or written by hand with `#[derive(prost::Message)]`.
///
/// The format is made for messages whose fields change over the years, so it tells less than others
/// whether a datagram is what was meant. Fields that the type does not know are skipped, those that
/// are missing have their default, and of a field given twice the last one counts, or both are
/// merged. So the empty datagram is the message of defaults, a datagram cut between two fields is a
/// message too, and so is one with further fields behind it. Where that matters, put a
/// [layer](DatagramProtocol::layer) around it that protects the datagram as a whole.
///
/// In two things prost differs from what `protoc` makes for other languages. A field that is marked `required` may be
/// missing: it has its default then, and whether it was there cannot be told. And a field that the type knows, but with
/// another wire type, is an error and not an unknown field: readers with an older `.proto` refuse a message
/// in which a `fixed32` has become an `int32`. Give such a field a new number.
///
/// # Limits
///
/// - Messages may be nested 100 levels deep. That is prost's limit, which any crate in the program
///   can switch off with prost's feature `no-recursion-limit`: see that none does.
/// - A declared length must be there in full before anything is allocated for it.
/// - An element of a repeated field takes two bytes at least on the wire, and as much memory as its
///   type has: of a type of 200 bytes a datagram of 64 KiB may hold 6.5 MB, and take up to three
///   times that while the list grows.
///
/// The source of an error is for people to read; its type may change.
///
/// [Protocol Buffers]: https://protobuf.dev/programming-guides/encoding/
/// [prost]: https://docs.rs/prost/0.14
///
/// # Cost
///
/// That of prost: a message of an integer, 21 characters and eight floats takes about 400 instructions to
/// write and 1,400 to read, of which most are allocations.
///
/// # Examples
///
/// The first example of the documentation of the format:
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, Protobuf};
///
/// #[derive(PartialEq, prost::Message)]
/// struct Test1 {
///     #[prost(int32, optional, tag = "1")]
///     a: Option<i32>,
/// }
///
/// let protocol: Protobuf<Test1> = Protobuf::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Test1 { a: Some(150) }, &mut datagram)?;
///
/// assert_eq!(datagram, [0x08, 0x96, 0x01]);
/// assert_eq!(protocol.decode(&datagram)?, Test1 { a: Some(150) });
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
pub struct Protobuf<I, O = I> {
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Protobuf<I, O> {
    /// Creates the codec; both types are inferred from the handler or named: `Protobuf::<Question,
    /// Answer>::new()`.
    #[must_use]
    pub const fn new() -> Self {
        Self { types: PhantomData }
    }
}

impl<I: Default + Message, O: Message> DatagramProtocol for Protobuf<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        I::decode(datagram)
            .map_err(|error| DecodeError::codec("invalid protobuf message").with_source(error))
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        packet.encode(datagram).map_err(|error| {
            EncodeError::codec("the message does not fit into memory").with_source(error)
        })
    }
}

plain!(Protobuf < I, O > {});
