//! One protocol to receive, another one to send.

use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
    shape::Shape,
};

/// Decodes with one protocol and encodes with another.
///
/// Use it where the two directions have different formats: for example, commands as text and
/// measurements as bytes.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Raw, Split, Text};
///
/// let protocol = Split::new(Text, Raw);
///
/// let command = protocol.decode(b"measure")?;
/// let mut datagram = Vec::new();
/// protocol.encode(&vec![0xff, 0x00].into(), &mut datagram)?;
///
/// assert_eq!(command, "measure");
/// assert_eq!(datagram, [0xff, 0x00]);
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Split<I, O> {
    incoming: I,
    outgoing: O,
}

impl<I, O> Split<I, O> {
    /// Creates a protocol that decodes with `incoming` and encodes with `outgoing`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Prefix, Split, Text};
    ///
    /// let incoming = Text.layer(Prefix::new(*b"?"));
    /// let outgoing = Text.layer(Prefix::new(*b"!"));
    /// let server = Split::new(incoming, outgoing);
    ///
    /// assert_eq!(server.decode(b"?time")?, "time");
    /// assert!(server.decode(b"!noon").is_err());
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new(incoming: I, outgoing: O) -> Self {
        Self { incoming, outgoing }
    }
}

impl<I: DatagramProtocol, O: DatagramProtocol> DatagramProtocol for Split<I, O> {
    type Incoming = I::Incoming;
    type Outgoing = O::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        self.incoming.decode(datagram)
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.outgoing.encode(packet, datagram)
    }

    fn shape(&self) -> Shape {
        self.incoming.shape()
    }
}
