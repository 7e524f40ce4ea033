//! Requests without ids: one at a time.

use super::correlated::Correlated;
use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
    shape::Shape,
};

/// Lets a protocol without ids be used for requests: one request is in flight, and the next datagram from
/// the server is its response.
///
/// The format is that of the inner protocol. If a response comes late, after its request was repeated or
/// given up, nobody can tell it from the response to the next request. So after such a request, and after a packet
/// that needs no response, a request client waits as long as its last timer before it sends the next one.
///
/// A server with a reply cache takes two equal requests of a peer within 30 s for one, since nothing but their
/// bytes tells them apart. Prefer [`Tagged`](crate::Tagged) if you may choose the format.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Correlated, DatagramProtocol, LockStep, Text};
///
/// let protocol = LockStep::new(Text);
/// let mut request = Vec::new();
/// protocol.encode(&"time?".to_owned(), &mut request)?;
///
/// assert_eq!(request, b"time?");
/// assert_eq!((protocol.max_id(), protocol.id(b"noon")), (0, Some(0)));
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LockStep<P>(P);

impl<P> LockStep<P> {
    /// Creates a protocol for one request at a time.
    #[must_use]
    pub const fn new(protocol: P) -> Self {
        Self(protocol)
    }
}

impl<P: DatagramProtocol> DatagramProtocol for LockStep<P> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<P::Incoming, DecodeError> {
        self.0.decode(datagram)
    }

    fn encode(&self, packet: &P::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.encode(packet, datagram)
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

impl<P: DatagramProtocol> Correlated for LockStep<P> {
    fn max_id(&self) -> u64 {
        0
    }

    fn id(&self, _: &[u8]) -> Option<u64> {
        Some(0)
    }

    fn set_id(&self, _: u64, _: &mut [u8]) {}
}
