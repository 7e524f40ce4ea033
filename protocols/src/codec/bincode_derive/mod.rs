//! The wire format of bincode 2, for types that derive bincode's own traits.

mod reader;

use std::{borrow::Cow, marker::PhantomData};

use bincode::{
    Decode, Encode,
    config::{self, Config},
    de::{Decoder, DecoderImpl},
    enc::{EncoderImpl, write::Writer},
    error,
};

use self::reader::{StackReader, TOO_DEEP};
use crate::{
    accepts_empty::accepts_empty,
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
    shape::Shape,
    trailing::trailing,
};

/// The wire format of bincode 2 for types that derive `bincode::Encode` and `bincode::Decode`: `I` is
/// received, `O` is sent.
///
/// For programs that have such types without serde. The bytes are those of `Bincode`, so one side may
/// derive serde's traits and the other bincode's.
///
/// The derive macros come from bincode: add `bincode = "2"` to your program, with its default features.
/// Packets that are received own their data, and need no context (`Decode<()>`). For a new protocol
/// consider `Postcard` instead: the crate bincode is no longer maintained (RUSTSEC-2025-0141). This codec
/// uses it, `Bincode` does not.
///
/// # Limits
///
/// Limits for what a datagram can cost:
///
/// - Memory: declared lengths reserve at most 32 bytes for each byte of the datagram, or 128 KiB if that is
///   more, see [`memory_limit`](Self::memory_limit). A `HashMap` or `HashSet` takes up to 5 times as much.
/// - Nesting: at most 128 KiB of stack, 512 KiB in debug builds, see [`stack_limit`](Self::stack_limit).
/// - The datagram: at most 1 MiB.
///
/// Encoding has no limits, so it can write packets that the other side refuses. And it can overflow the
/// stack, if a packet of your own nests thousands of levels deep.
///
/// `source()` of an error is a text for people; its type may change in any version.
///
/// # Types without a limit
///
/// This codec can check limits only when a type reads bytes, so it cannot stop types that read none. Do not
/// receive these types from strangers:
///
/// - Collections of elements that take no bytes in the datagram, such as `Vec<()>`, `Vec<Box<()>>` and
///   lists of unit structs. A datagram of 9 bytes can declare 2^64 - 1 elements, and decoding may take as
///   many steps. A `HashSet<()>` also reserves memory for each, which panics or aborts the process.
/// - Recursive types that contain themselves before they read a byte, such as `struct Endless(Box<Endless>)`.
///   Each datagram overflows the stack.
/// - Types with a hand-written `Decode` that reserves memory for a declared length, unless it first calls
///   `claim_container_read` or `claim_bytes_read`.
///
/// `Bincode` has limits for the first two.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use bincode::{Decode, Encode};
/// use datagrammar::{BincodeDerive, DatagramProtocol};
///
/// #[derive(Debug, Decode, Encode, PartialEq)]
/// enum Command {
///     Ping,
///     Add { a: u32, b: u32 },
/// }
///
/// let protocol: BincodeDerive<Command> = BincodeDerive::new();
///
/// let mut datagram = Vec::new();
/// protocol.encode(&Command::Add { a: 7, b: 300 }, &mut datagram)?;
///
/// assert_eq!(datagram, [0x01, 0x07, 0xfb, 0x2c, 0x01]);
/// assert_eq!(protocol.decode(&[0x00])?, Command::Ping);
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
pub struct BincodeDerive<I, O = I> {
    form: Form,
    memory: Option<usize>,
    stack: usize,
    types: PhantomData<fn(O) -> I>,
}

impl<I, O> BincodeDerive<I, O> {
    /// Creates the codec in bincode 2's standard form, which is that of `bincode::config::standard()`.
    ///
    /// The compiler infers both types from your program, or you name them:
    /// `BincodeDerive::<Question, Answer>::new()`.
    #[must_use]
    pub const fn new() -> Self {
        Self { form: Form::Variable, memory: None, stack: STACK_LIMIT, types: PhantomData }
    }

    /// Selects the form of bincode 1.x, which is that of `bincode::config::legacy()`: integers in their
    /// full width, lengths in 8 bytes, variants in 4.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{BincodeDerive, DatagramProtocol};
    ///
    /// let protocol: BincodeDerive<String> = BincodeDerive::new().fixed();
    ///
    /// assert_eq!(protocol.decode(b"\x02\0\0\0\0\0\0\0hi")?, "hi");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn fixed(self) -> Self {
        Self { form: Form::Fixed, ..self }
    }

    /// Sets how many bytes of memory may be counted for a datagram at one time.
    ///
    /// bincode's decoder counts these bytes; `with_limit` of bincode's configuration sets the same limit. A
    /// number counts the size of its type, text its length and 8 bytes more. A list or map counts the size of
    /// each element that it declares, before it reserves memory. When an element is read, its size is
    /// subtracted, and the element counts its own content instead.
    ///
    /// So a packet can take more memory than the limit: a list of a large type that is short in the datagram, such as
    /// `None`. But each of its elements has used at least one byte of the datagram, except [elements that take no
    /// bytes](Self#types-without-a-limit).
    ///
    /// The default is 32 bytes for each byte of the datagram, and at least 128 KiB. That fits every packet
    /// whose elements take at most 32 bytes of memory for each byte in the datagram. Set a higher limit for
    /// long lists of a large type that is often short in the datagram, as `None` or a unit variant.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{BincodeDerive, DatagramProtocol};
    ///
    /// let protocol: BincodeDerive<Vec<u8>> = BincodeDerive::new().memory_limit(16);
    ///
    /// assert!(protocol.decode(&[8, 1, 2, 3, 4, 5, 6, 7, 8]).is_ok()); // 8 for the length, 1 for each byte
    /// assert!(protocol.decode(&[9, 1, 2, 3, 4, 5, 6, 7, 8, 9]).is_err());
    /// ```
    #[must_use]
    pub const fn memory_limit(self, bytes: usize) -> Self {
        Self { memory: Some(bytes), ..self }
    }

    /// Sets how many bytes of the stack decoding a packet may take.
    ///
    /// Without the limit, a datagram could make a recursive type use any amount of stack. The stack is
    /// measured each time bytes are read. So a single level that contains large arrays can exceed the limit before it is
    /// noticed.
    ///
    /// The number of levels that fit depends on the type and the build. The default is 128 KiB in optimized
    /// builds: 2,000 levels of a list of boxes, 150 of an enum of 136 bytes. With debug assertions the
    /// default is 512 KiB, as a level takes 5 to 10 times as much there: 900 and 100 levels. A stack of 2 MiB
    /// has room for that, and also for dropping, cloning, comparing, encoding and printing (`{:?}`) such a
    /// packet, if these traits are derived.
    ///
    /// AddressSanitizer moves variables off the stack, which makes the measure wrong: set
    /// `ASAN_OPTIONS=detect_stack_use_after_return=0`, except for optimized builds of cargo-fuzz. Under
    /// Miri there is no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use bincode::{Decode, Encode};
    /// use datagrammar::{BincodeDerive, DatagramProtocol};
    ///
    /// #[derive(Decode, Encode)]
    /// struct Node(Option<Box<Node>>);
    ///
    /// let protocol: BincodeDerive<Node> = BincodeDerive::new().stack_limit(64 * 1024);
    ///
    /// assert!(protocol.decode(&[1, 1, 0]).is_ok()); // two nodes in a node
    /// assert!(protocol.decode(&[1; 65_507]).is_err());
    /// ```
    #[must_use]
    pub const fn stack_limit(self, bytes: usize) -> Self {
        Self { stack: bytes, ..self }
    }

    fn read<C: Config>(&self, datagram: &[u8], config: C) -> Result<I, DecodeError>
    where
        I: Decode<()>,
    {
        let memory =
            self.memory.unwrap_or_else(|| LEAST_MEMORY_LIMIT.max(MEMORY_PER_BYTE * datagram.len()));
        let mut decoder = DecoderImpl::new(StackReader::new(datagram, self.stack), config, ());
        // bincode's limit is a constant, here the greatest number. What is above ours is claimed first, so the
        // datagram can claim the rest.
        let packet = decoder
            .claim_bytes_read(usize::MAX - memory)
            .and_then(|()| I::decode(&mut decoder))
            .map_err(|error| self.refused(error, memory))?;
        match decoder.reader().left() {
            0 => Ok(packet),
            left => Err(trailing(left)),
        }
    }

    // Out of the way of packets that are read.
    #[cold]
    #[inline(never)]
    fn refused(&self, error: error::DecodeError, memory: usize) -> DecodeError {
        let reason: Cow<'static, str> = match error {
            error::DecodeError::UnexpectedEnd { .. } => "unexpected end of datagram".into(),
            error::DecodeError::LimitExceeded => {
                format!("memory limit ({memory} bytes) reached").into()
            }
            error::DecodeError::Other(TOO_DEEP) => {
                format!("stack limit ({} bytes) reached", self.stack).into()
            }
            error::DecodeError::InvalidIntegerType { .. } => {
                "number out of range of its type".into()
            }
            error::DecodeError::Utf8 { .. } => "invalid UTF-8".into(),
            error::DecodeError::Other(reason) => reason.into(),
            error::DecodeError::OtherString(reason) => reason.into(),
            other => other.to_string().into(),
        };
        DecodeError::codec("invalid bincode for the packet type").with_source(reason)
    }
}

impl<I: Decode<()>, O: Encode> DatagramProtocol for BincodeDerive<I, O> {
    type Incoming = I;
    type Outgoing = O;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        if datagram.len() > SIZE_LIMIT {
            return Err(DecodeError::codec("the datagram is longer than 1 MiB"));
        }
        match self.form {
            Form::Variable => {
                self.read(datagram, config::standard().with_limit::<{ usize::MAX }>())
            }
            Form::Fixed => self.read(datagram, config::legacy().with_limit::<{ usize::MAX }>()),
        }
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let writer = Appending(datagram);
        let written = match self.form {
            Form::Variable => packet.encode(&mut EncoderImpl::new(writer, config::standard())),
            Form::Fixed => packet.encode(&mut EncoderImpl::new(writer, config::legacy())),
        };
        written.map_err(|error| {
            EncodeError::codec("bincode cannot express the packet").with_source(error.to_string())
        })
    }

    fn shape(&self) -> Shape {
        // Only a type that reads nothing accepts the empty datagram.
        Shape::lengths(usize::from(!accepts_empty(self))..)
    }
}

plain!(BincodeDerive<I, O> { form, memory, stack });

#[derive(Clone, Copy, Debug)]
enum Form {
    Variable,
    Fixed,
}

/// Appends to a datagram. bincode's own writers fill a slice, or know no buffer that has bytes already.
struct Appending<'a>(&'a mut Vec<u8>);

impl Writer for Appending<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

const SIZE_LIMIT: usize = 1024 * 1024; // bytes
const LEAST_MEMORY_LIMIT: usize = 128 * 1024; // bytes: a hash set of bytes reserves 4 times as much
const MEMORY_PER_BYTE: usize = 32; // more than a `String` takes, whose shortest is one byte in a datagram
/// In release builds a packet that is printed takes up to 8 times the stack of decoding it, in others less
/// than that.
const STACK_LIMIT: usize = if cfg!(debug_assertions) { 512 * 1024 } else { 128 * 1024 };
