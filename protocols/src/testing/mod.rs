//! What a protocol promises, checked. For tests: nothing here belongs into a program.

mod examine;
mod failure;
mod hostile;

use std::{fmt, sync::Arc};

use bytes::Bytes;

use self::failure::Failure;
use crate::{
    codec::raw::Raw,
    error::{DecodeError, EncodeError, ErrorKind},
    layer::interface::Layer,
    protocol::DatagramProtocol,
};

/// Checks that a protocol keeps its [promises](DatagramProtocol#what-an-implementation-keeps-to), given
/// some packets of it.
///
/// One line in a test, and it panics as an assertion does if one of these does not hold:
///
/// - **Round trip.** Each packet can be encoded, and is decoded as the same packet.
/// - **What is in the buffer stays**, whether the packet is encoded or refused.
/// - **Trailing bytes are refused**: each of the 256 bytes after a packet. A format that has no end
///   says so with [`allow_trailing`](Self::allow_trailing).
/// - **One to one.** Whatever is decoded, from whatever bytes, and can be encoded, is decoded as the
///   same packet again.
/// - **No panic** for datagrams that are cut, altered, random, or the longest there are. One that
///   overflows the stack ends the test too, though without a message. Those that are cut or altered are
///   refused where you say so: [`refuse_cuts`](Self::refuse_cuts),
///   [`refuse_altered`](Self::refuse_altered).
/// - **No memory.** A datagram has the same outcome whichever datagrams came before it.
/// - **Errors say what is wrong**, in words that do not depend on the datagram.
/// - **No allocation** beyond a limit, where there is a [`peak`](Self::peak) to measure it.
///
/// The message of the panic tells which of them, for which packet, and the datagram in hexadecimal.
/// All is drawn from a [`seed`](Self::seed), so that a failure comes back.
///
/// What no check can know is which bytes you mean: compare those of a few packets with a literal.
///
/// # Cost
///
/// Some thousand calls of the protocol per packet, most often less than 0.1 s in an unoptimized test.
/// For datagrams of more than 1,024 bytes not every length and place is tried, so that it stays so.
///
/// # Examples
///
/// A reading of a sensor, as two numbers in network order:
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, DecodeError, EncodeError, testing::Conformance};
///
/// struct Readings;
///
/// #[derive(PartialEq)]
/// struct Reading {
///     sensor: u16,
///     centidegrees: i16,
/// }
///
/// impl DatagramProtocol for Readings {
///     type Incoming = Reading;
///     type Outgoing = Reading;
///
///     fn decode(&self, datagram: &[u8]) -> Result<Reading, DecodeError> {
///         let [s1, s0, c1, c0] = *datagram else {
///             return Err(DecodeError::codec("the reading is not 4 bytes"));
///         };
///         Ok(Reading {
///             sensor: u16::from_be_bytes([s1, s0]),
///             centidegrees: i16::from_be_bytes([c1, c0]),
///         })
///     }
///
///     fn encode(&self, reading: &Reading, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
///         datagram.extend(reading.sensor.to_be_bytes());
///         datagram.extend(reading.centidegrees.to_be_bytes());
///         Ok(())
///     }
/// }
///
/// // In a test:
/// Conformance::new(Readings).refuse_cuts().run([
///     Reading { sensor: 0, centidegrees: i16::MIN },
///     Reading { sensor: 7, centidegrees: 2150 },
/// ]);
/// ```
#[expect(clippy::type_complexity, reason = "each closure is that of one method")]
pub struct Conformance<'p, I, O = I> {
    encode: Box<dyn Fn(&O, &mut Vec<u8>) -> Result<(), EncodeError> + 'p>,
    decode: Box<dyn Fn(&[u8]) -> Result<I, DecodeError> + 'p>,
    same: Box<dyn Fn(&O, &I) -> bool + 'p>,
    /// What was received, as something to send: known where both are of one type.
    back: fn(&I) -> Option<&O>,
    kind: Option<ErrorKind>,
    trailing: [bool; 256],
    cuts: Changed,
    altered: Changed,
    rounds: usize,
    seed: u64,
    peak: Option<Peak<'p>>,
}

impl<'p, T: 'p> Conformance<'p, T> {
    /// Checks a protocol that receives what it sends.
    ///
    /// Packets are the same if they are equal. One that is not even equal to itself, for a float in it
    /// that is not a number, is the same if it is encoded as the same bytes.
    #[must_use]
    pub fn new(protocol: impl DatagramProtocol<Incoming = T, Outgoing = T> + 'p) -> Self
    where
        T: PartialEq,
    {
        Self::of_one(protocol, T::eq)
    }

    /// Checks a protocol of packets that cannot be compared: they are the same if they are encoded as
    /// the same bytes.
    ///
    /// Not for a protocol that may write a packet in several ways, such as one that encrypts.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{Text, TryConvert, DatagramProtocol, testing::Conformance};
    ///
    /// struct Name(String);
    ///
    /// impl From<String> for Name {
    ///     fn from(name: String) -> Self {
    ///         Self(name)
    ///     }
    /// }
    ///
    /// impl From<&Name> for String {
    ///     fn from(name: &Name) -> Self {
    ///         name.0.clone()
    ///     }
    /// }
    ///
    /// let protocol = Text.convert(TryConvert::new());
    ///
    /// Conformance::by_bytes(protocol).allow_trailing(0..=255).run([Name("Zoë".to_owned())]);
    /// ```
    #[must_use]
    pub fn by_bytes(protocol: impl DatagramProtocol<Incoming = T, Outgoing = T> + 'p) -> Self {
        Self::of_one(protocol, |_, _| false)
    }

    fn of_one(
        protocol: impl DatagramProtocol<Incoming = T, Outgoing = T> + 'p,
        same: impl Fn(&T, &T) -> bool + 'p,
    ) -> Self {
        let protocol = Arc::new(protocol);
        Self { back: |packet| Some(packet), ..Self::between(Arc::clone(&protocol), protocol, same) }
    }
}

impl<'p> Conformance<'p, Bytes> {
    /// Checks a layer, put around [`Raw`]: its packets are the bytes of a protocol inside.
    ///
    /// Its errors have to be of the [kind](ErrorKind) `Layer`.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{Prefix, testing::Conformance};
    ///
    /// let layer = Prefix::new(*b"QZ\x02");
    ///
    /// Conformance::layer(layer).allow_trailing(0..=255).run(["".into(), "2 + 2?".into()]);
    /// ```
    #[must_use]
    pub fn layer(layer: impl Layer + 'p) -> Self {
        Self { kind: Some(ErrorKind::Layer), ..Self::new(Raw.layer(layer)) }
    }
}

impl<'p, I, O> Conformance<'p, I, O> {
    /// Checks what one protocol sends and another one receives, such as a client's requests.
    ///
    /// `same` tells whether a packet is the one that was sent. Where both are of one type it is mostly
    /// `PartialEq::eq`. Check the other direction with the two protocols exchanged.
    ///
    /// That the packets of altered and random datagrams can be sent again (*one to one*) is not checked,
    /// as nobody sends them.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{Raw, Split, Text, testing::Conformance};
    ///
    /// let client = Split::new(Raw, Text); // receives bytes, sends text
    /// let server = Split::new(Text, Raw);
    ///
    /// Conformance::between(&client, &server, PartialEq::eq)
    ///     .allow_trailing(0..=255)
    ///     .run(["measure".to_owned()]);
    /// Conformance::between(&server, &client, PartialEq::eq)
    ///     .allow_trailing(0..=255)
    ///     .run([vec![0xff, 0x00].into()]);
    /// ```
    #[must_use]
    pub fn between(
        sender: impl DatagramProtocol<Outgoing = O> + 'p,
        receiver: impl DatagramProtocol<Incoming = I> + 'p,
        same: impl Fn(&O, &I) -> bool + 'p,
    ) -> Self {
        Self {
            encode: Box::new(move |packet, datagram| sender.encode(packet, datagram)),
            decode: Box::new(move |datagram| receiver.decode(datagram)),
            same: Box::new(same),
            back: |_| None,
            kind: None,
            trailing: [false; 256],
            cuts: Changed::MayBeRead,
            altered: Changed::MayBeRead,
            rounds: 1_000,
            seed: 0,
            peak: None,
        }
    }

    /// Lets a packet be followed by these bytes, after which the datagram is a packet, too: that
    /// format cannot tell.
    ///
    /// All of them (`0..=255`) for a format that has no end, such as text; white space
    /// (`*b" \t\r\n"`) for JSON.
    #[must_use]
    pub fn allow_trailing(mut self, bytes: impl IntoIterator<Item = u8>) -> Self {
        for byte in bytes {
            self.trailing[usize::from(byte)] = true;
        }
        self
    }

    /// Demands that a datagram is refused wherever it is cut.
    ///
    /// So it is in a format that tells its length, or has one. Otherwise the part may be another
    /// packet, as it is for text.
    #[must_use]
    pub fn refuse_cuts(self) -> Self {
        Self { cuts: Changed::Refused, ..self }
    }

    /// Demands that a datagram is refused whatever bytes of it are altered.
    ///
    /// So it is where a digest or a signature is in it.
    #[must_use]
    pub fn refuse_altered(self) -> Self {
        Self { altered: Changed::Refused, ..self }
    }

    /// Sets how many datagrams are drawn at random, and how many by altering others; 1,000 of each by
    /// default.
    #[must_use]
    pub fn rounds(self, rounds: usize) -> Self {
        Self { rounds, ..self }
    }

    /// Sets what random numbers begin with; 0 by default.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Demands that decoding any datagram holds no more than `bytes` of memory at a time, as `measure`
    /// tells: it is to call its argument once and return the peak.
    ///
    /// To measure is the work of a global allocator, which a program can have only one of, so the
    /// test brings it: one that counts what the thread holds, or a crate that does. A datagram may
    /// have up to 65,507 bytes, so a limit below some times that is too low for most formats.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{Text, testing::Conformance};
    ///
    /// /// Asks the allocator of this test how much `call` has held.
    /// fn peak_of(call: &mut dyn FnMut()) -> usize {
    /// #   #[cfg(false)] {
    ///     ALLOCATOR.reset();
    /// #   }
    ///     call();
    /// #   #[cfg(false)] {
    ///     ALLOCATOR.peak()
    /// #   }
    /// #   0
    /// }
    ///
    /// Conformance::new(Text)
    ///     .allow_trailing(0..=255)
    ///     .peak(1024 * 1024, peak_of)
    ///     .run(["text".to_owned()]);
    /// ```
    #[must_use]
    pub fn peak(self, bytes: usize, measure: impl Fn(&mut dyn FnMut()) -> usize + 'p) -> Self {
        Self { peak: Some(Peak { bytes, measure: Box::new(measure) }), ..self }
    }

    /// Runs all checks. There has to be a packet, and better one of each kind.
    ///
    /// # Panics
    ///
    /// Panics if one of the promises is not kept, or if there is no packet.
    #[track_caller]
    pub fn run(&self, packets: impl IntoIterator<Item = O>) {
        fail_if(self.examine(packets.into_iter().collect()));
    }

    /// Checks one packet: it comes back, or is refused, and what is in the buffer stays.
    ///
    /// For packets that are drawn at random, by a fuzzer for instance.
    ///
    /// # Panics
    ///
    /// Panics if one of the promises is not kept.
    #[track_caller]
    pub fn packet(&self, packet: &O) {
        fail_if(self.examine_packet(packet));
    }

    /// Checks one datagram, from wherever: it is refused, or stands for a packet that can be sent again.
    ///
    /// # Panics
    ///
    /// Panics if one of the promises is not kept.
    ///
    /// # Examples
    ///
    /// All that a fuzz target has to do:
    ///
    /// ```
    /// use datagrammar_protocols::{Text, testing::Conformance};
    ///
    /// fn fuzz(datagram: &[u8]) {
    ///     Conformance::new(Text).datagram(datagram);
    /// }
    /// # fuzz(b"text");
    /// # fuzz(b"\xff");
    /// ```
    #[track_caller]
    pub fn datagram(&self, datagram: &[u8]) {
        fail_if(self.examine_datagram(datagram));
    }
}

impl<I, O> fmt::Debug for Conformance<'_, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("cuts", &self.cuts)
            .field("altered", &self.altered)
            .field("rounds", &self.rounds)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

struct Peak<'p> {
    bytes: usize,
    #[expect(clippy::type_complexity, reason = "a closure that takes a closure")]
    measure: Box<dyn Fn(&mut dyn FnMut()) -> usize + 'p>,
}

/// What becomes of a datagram that was changed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Changed {
    MayBeRead,
    Refused,
}

#[track_caller]
fn fail_if(outcome: Result<(), Failure>) {
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
