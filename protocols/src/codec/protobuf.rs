//! Protocol Buffers, with the crate prost.

use std::marker::PhantomData;

use prost::Message;

use crate::{
    accepts_empty::accepts_empty,
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    shape::Shape,
};

/// [Protocol Buffers] of types made by [prost] 0.14: `I` is received, `O` is sent.
///
/// The whole datagram is one message, without a length before it. `prost-build` makes the types
/// from `.proto` files, or you write them with `#[derive(prost::Message)]`. Add `prost = "0.14"` to
/// your program.
///
/// The format is made for messages whose fields change over the years, so it detects fewer wrong
/// datagrams than other formats. Unknown fields are skipped, and missing fields have their default.
/// Of a duplicate field, the last one counts, or both are merged. So the empty datagram is the
/// message of defaults. A datagram that is cut between two fields, or that has more fields after
/// it, is a message too. Where that matters, add a [layer](DatagramProtocol::layer) that protects
/// the datagram as a whole.
///
/// prost differs from the code that `protoc` makes for other languages in two ways:
///
/// - A field that is marked `required` may be missing. It then has its default, and nothing shows
///   whether it was there.
/// - A known field with another wire type is an error, not an unknown field. Readers with an older
///   `.proto` refuse a message in which a `fixed32` has become an `int32`. Give such a field a new
///   number.
///
/// # Limits
///
/// - Messages may be nested 100 levels deep. That is prost's limit. Any crate in the program can
///   switch it off with prost's feature `no-recursion-limit`, so check that none does.
/// - The bytes of a declared length must all be there before anything is allocated for them.
/// - An element of a repeated field takes at least two bytes on the wire, and as much memory as its
///   type. For a type of 200 bytes, a datagram of 64 KiB may hold 6.5 MB, and take up to three
///   times that while the list grows.
///
/// `source()` of an error is a text for people; its type may change in any version.
///
/// [Protocol Buffers]: https://protobuf.dev/programming-guides/encoding/
/// [prost]: https://docs.rs/prost/0.14
///
/// # Cost
///
/// The cost of prost: a message of an integer, 21 characters and eight floats takes about 400
/// instructions to write and 1,400 to read. Most of the instructions are for allocations.
///
/// # Examples
///
/// The first example of the format's documentation:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Protobuf};
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
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "prost")]
pub struct Protobuf<I, O = I> {
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> Protobuf<I, O> {
    /// Creates the codec.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `Protobuf::<Question, Answer>::new()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Protobuf};
    ///
    /// // prost implements `Message` for the types of Google's "wrappers.proto": `u32` is `UInt32Value`.
    /// let protocol: Protobuf<u32> = Protobuf::new();
    ///
    /// assert_eq!(protocol.decode(&[0x08, 0x07])?, 7);
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
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

    fn shape(&self) -> Shape {
        // Only a type that reads nothing accepts the empty datagram.
        Shape::lengths(usize::from(!accepts_empty(self))..)
    }
}

plain!(Protobuf < I, O > {});
