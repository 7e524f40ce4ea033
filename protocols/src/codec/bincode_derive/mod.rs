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
    error::{DecodeError, EncodeError},
    plain::plain,
    protocol::DatagramProtocol,
};

/// The wire format of bincode 2 for types that derive `bincode::Encode` and `bincode::Decode`: `I` is received, `O`
/// is sent.
///
/// For programs that have such types without serde. The bytes are those of `Bincode`, so one side may derive serde's
/// traits and the other bincode's.
///
/// The derive macros are yours: add `bincode = "2"` to your program, with its default features. What is received must
/// own its data, and must not need a context. For a new protocol consider `Postcard` instead: bincode is no longer
/// maintained (RUSTSEC-2025-0141). Unlike `Bincode`, this codec uses that crate.
///
/// # Limits
///
/// A datagram costs what its bytes justify, whatever lengths it declares:
///
/// - Memory: declared lengths reserve at most 32 bytes for each byte of the datagram, or 128 KiB if that is more, see
///   [`memory_limit`](Self::memory_limit). A `HashMap` or `HashSet` takes up to 5 times as much.
/// - Nesting: at most 128 KiB of stack, 512 KiB in debug builds, see [`stack_limit`](Self::stack_limit).
/// - The datagram: at most 1 MiB.
///
/// Encoding has no limits, so it can write packets that the other side refuses. A packet of yours that nests
/// thousands of levels deep overflows the stack.
///
/// The source of an error is for people to read; its type may change.
///
/// # What has no limit
///
/// bincode calls this codec only where a type reads bytes. So do not receive these types from strangers:
///
/// - Collections of elements that take no bytes in the datagram, such as `Vec<()>`, `Vec<Box<()>>` and lists of
///   unit structs. A datagram of 9 bytes declares 2^64 - 1 elements, and decoding takes that many steps. For a
///   `HashSet<()>` it reserves as many bytes, which panics or aborts the process.
/// - Types that contain themselves before they read a byte, such as `struct Endless(Box<Endless>)`. Each datagram
///   overflows the stack.
/// - Types with a `Decode` written by hand that reserves memory for a declared length, unless it calls
///   `claim_container_read` or `claim_bytes_read` first.
///
/// `Bincode` limits all of these.
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
    /// Both types are inferred from the handler or named: `BincodeDerive::<Question, Answer>::new()`.
    #[must_use]
    pub const fn new() -> Self {
        Self { form: Form::Variable, memory: None, stack: STACK_LIMIT, types: PhantomData }
    }

    /// Selects the form of bincode 1.x, which is that of `bincode::config::legacy()`: integers in their full width,
    /// lengths in 8 bytes, variants in 4.
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

    /// Sets how many bytes of memory a datagram may claim at one time.
    ///
    /// It is the limit that bincode calls `with_limit`, and its decoder counts: a number claims the size of its type,
    /// text and bytes their length and 8 bytes more, an array its size. A list or map claims the size of each element
    /// that it declares, before it reserves memory. When an element is read, the list releases its part, and the
    /// element claims its own.
    ///
    /// So it does not count all the memory of the elements that were read. Each of these took a byte of the datagram
    /// or more.
    ///
    /// By default a datagram may claim 32 bytes for each of its bytes, and never less than 128 KiB. That fits every
    /// packet whose elements take at most 32 bytes of memory for each byte in the datagram. Where a large type is often
    /// short in the datagram, as `None` or a unit variant, a long list of it needs a higher limit.
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
    /// The limit is there for types that contain themselves: without it a datagram would choose how much stack they
    /// take. It is measured where the packet reads bytes, so the frames of one level, with its large arrays, come on
    /// top.
    ///
    /// How many levels fit depends on the type and the build. The default is 128 KiB with optimizations: a list of
    /// boxes may have 2,000 levels, an enum of 136 bytes 150. In builds with debug assertions a level takes 5 to 10
    /// times as much, so the default is 512 KiB: 900 and 100 levels. Both fit a stack of 2 MiB by a wide margin, and so
    /// does it to drop, clone, compare or print such a packet with what Rust derives.
    ///
    /// Tools that move variables off the stack, such as AddressSanitizer with its detection of use after return, make
    /// the measure wrong. Under Miri there is no limit.
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
        // bincode's limit is a constant, and the greatest there is. So what is above ours is claimed in advance.
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

#[cold]
#[inline(never)]
fn trailing(left: usize) -> DecodeError {
    DecodeError::codec("trailing bytes after the packet").with_source(match left {
        1 => "1 byte".to_owned(),
        _ => format!("{left} bytes"),
    })
}

const SIZE_LIMIT: usize = 1024 * 1024; // bytes
const LEAST_MEMORY_LIMIT: usize = 128 * 1024; // bytes: a hash set of bytes reserves 4 times as much
const MEMORY_PER_BYTE: usize = 32; // more than a `String` takes, whose shortest is one byte in a datagram
/// In release builds a packet that is printed takes up to 8 times the stack of decoding it, in others less than that.
const STACK_LIMIT: usize = if cfg!(debug_assertions) { 512 * 1024 } else { 128 * 1024 };
