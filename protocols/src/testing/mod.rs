//! For tests: checks that a protocol of your own keeps its rules.

mod examine;
mod failure;
mod hostile;
mod settings;

use std::{fmt, sync::Arc};

use bytes::Bytes;

use self::failure::Failure;
use crate::{
    codec::raw::Raw,
    error::{DecodeError, EncodeError, ErrorKind},
    layer::interface::Layer,
    protocol::DatagramProtocol,
    shape::Shape,
};

/// Checks that a protocol keeps its [rules](DatagramProtocol#rules), with packets that you give it.
///
/// It takes one line in a test. It panics, like an assertion, if one of these rules is broken:
///
/// - **Round trip.** Each packet can be encoded, and decodes as the same packet.
/// - **Bytes in the buffer stay**, whether the packet is encoded or refused.
/// - **Trailing bytes are refused**: each of the 256 possible bytes after a packet. For a format
///   without an end, call [`allow_trailing`](Self::allow_trailing).
/// - **Second round trip.** A packet that was decoded from any bytes, and can be encoded, decodes
///   as the same packet again.
/// - **No panic** for datagrams that are cut, altered, random, or as long as possible. A stack
///   overflow ends the test too, but without a message. Call [`refuse_cuts`](Self::refuse_cuts) and
///   [`refuse_altered`](Self::refuse_altered) if the protocol must refuse all cut or altered
///   datagrams.
/// - **No state.** A datagram has the same outcome after any other datagrams.
/// - **Errors say what is wrong**, in words that do not depend on the datagram.
/// - **A true shape.** Every datagram that is decoded has the [shape](DatagramProtocol::shape) of the
///   protocol.
/// - **No allocation** beyond a limit, if there is a [`peak`](Self::peak) to measure it.
///
/// The message of the panic names the rule and the packet, and has the datagram in hexadecimal.
/// Random numbers depend only on a [`seed`](Self::seed), so a failure is reproducible.
///
/// No check knows the bytes that your format requires: compare the bytes of a few packets with
/// literals too.
///
/// # Cost
///
/// A few thousand calls of the protocol per packet. Most protocols take less than 0.1 s per packet
/// in an unoptimized test; layers with keys or digests take longer. For datagrams of more than
/// 1,024 bytes it does not try every length and place, to limit the time.
///
/// # Examples
///
/// A reading of a sensor, as two numbers in network order:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, DecodeError, EncodeError, testing::Conformance};
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
#[doc(alias = "test")]
#[must_use = "it checks nothing before `run`, `packet` or `datagram`"]
#[expect(clippy::type_complexity, reason = "each closure is that of one method")]
pub struct Conformance<'p, I, O = I> {
    encode: Box<dyn Fn(&O, &mut Vec<u8>) -> Result<(), EncodeError> + 'p>,
    decode: Box<dyn Fn(&[u8]) -> Result<I, DecodeError> + 'p>,
    same: Box<dyn Fn(&O, &I) -> bool + 'p>,
    /// A received packet as a packet to send, if both have the same type.
    back: fn(&I) -> Option<&O>,
    kind: Option<ErrorKind>,
    trailing: [bool; 256],
    cuts: Changed,
    altered: Changed,
    rounds: usize,
    seed: u64,
    peak: Option<Peak<'p>>,
    /// What the receiving protocol says of its datagrams.
    shape: Shape,
}

impl<'p, T: 'p> Conformance<'p, T> {
    /// Checks a protocol that receives and sends the same type.
    ///
    /// Packets are the same if they are equal. If a packet is not equal to itself, because it
    /// contains a float that is NaN, it is compared by its encoded bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{TextLine, testing::Conformance};
    ///
    /// Conformance::new(TextLine::new()).allow_trailing(0..=127).run(["HELO".to_owned()]);
    /// ```
    pub fn new(protocol: impl DatagramProtocol<Incoming = T, Outgoing = T> + 'p) -> Self
    where
        T: PartialEq,
    {
        Self::of_one(protocol, T::eq)
    }

    /// Checks a protocol of packets that cannot be compared: they are the same if their encoded
    /// bytes are the same.
    ///
    /// This does not work for a protocol that can write a packet in several ways, such as one that
    /// encrypts.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Text, TryConvert, DatagramProtocol, testing::Conformance};
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
    /// Checks a layer around [`Raw`]: its packets stand for the payload of any inner protocol.
    ///
    /// All errors must have the [kind](ErrorKind) `Layer`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Prefix, testing::Conformance};
    ///
    /// let layer = Prefix::new(*b"QZ\x02");
    ///
    /// Conformance::layer(layer).allow_trailing(0..=255).run(["".into(), "2 + 2?".into()]);
    /// ```
    pub fn layer(layer: impl Layer + 'p) -> Self {
        Self { kind: Some(ErrorKind::Layer), ..Self::new(Raw.layer(layer)) }
    }
}

impl<'p, I, O> Conformance<'p, I, O> {
    /// Checks packets that one protocol sends and another one receives, such as a client's
    /// requests.
    ///
    /// `same` returns whether a received packet is the packet that was sent. If both have the same
    /// type, pass `PartialEq::eq`. To check the other direction, swap the two protocols.
    ///
    /// This does not check the second round trip, since a received packet may have another type
    /// than a sent one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Raw, Split, Text, testing::Conformance};
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
    pub fn between(
        sender: impl DatagramProtocol<Outgoing = O> + 'p,
        receiver: impl DatagramProtocol<Incoming = I> + 'p,
        same: impl Fn(&O, &I) -> bool + 'p,
    ) -> Self {
        Self {
            shape: receiver.shape(),
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

    /// Runs all checks. It needs at least one packet; one of each kind is better.
    ///
    /// # Panics
    ///
    /// Panics if the protocol breaks one of the rules, or if there is no packet.
    ///
    /// # Examples
    ///
    /// ```should_panic
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Text, testing::Conformance};
    ///
    /// // Text has no end, so this says: "trailing bytes are refused: packet 0 and one byte …".
    /// Conformance::new(Text).run(["hello".to_owned()]);
    /// ```
    #[track_caller]
    pub fn run(&self, packets: impl IntoIterator<Item = O>) {
        fail_if(self.examine(packets.into_iter().collect()));
    }

    /// Checks one packet: it comes back or is refused, and the bytes in the buffer stay.
    ///
    /// Use it for packets that are generated at random, for example by a fuzzer.
    ///
    /// # Panics
    ///
    /// Panics if the protocol breaks one of the rules.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Text, testing::Conformance};
    ///
    /// Conformance::new(Text).packet(&"hello".to_owned());
    /// ```
    #[track_caller]
    pub fn packet(&self, packet: &O) {
        fail_if(self.examine_packet(packet));
    }

    /// Checks one datagram of any bytes: it is refused, or it is a packet that can be sent again.
    ///
    /// # Panics
    ///
    /// Panics if the protocol breaks one of the rules.
    ///
    /// # Examples
    ///
    /// A fuzz target needs nothing else:
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Text, testing::Conformance};
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

/// The required outcome of a datagram that was changed.
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
