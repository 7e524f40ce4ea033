//! A protocol around another one that puts a kind and an id in front of each packet.

use super::correlated::Correlated;
use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
    shape::Shape,
};

/// Puts a kind and a 32-bit id in front of each packet of another protocol: the client's side.
///
/// The other side is [`TaggedServer`](crate::TaggedServer). A request client chooses the ids, so that
/// they are unpredictable and unique. Any other client sends the id 0, so a server with a reply cache takes two equal
/// requests of such a client for one.
///
/// # Format
///
/// | byte | content |
/// | --- | --- |
/// | 0 | the kind: 0 request, 1 response, 2 one-way, 3 refusal |
/// | 1 to 4 | the id, big-endian; a response and a refusal have the id of their request |
/// | 5 to the end | the packet of the inner protocol; nothing in a refusal |
///
/// # Security
///
/// An attacker who does not see the requests would have to guess 32 bits and a port. The id does not protect
/// from an attacker who sees them: put [`Sealed`](crate::Sealed) or [`Signed`](crate::Signed) around the inner
/// protocol for that. Then a packet cannot be forged, but it can still be given to another request of the
/// same client, since the id is outside of the signature. If that matters, let the response repeat
/// something of its request.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Correlated, DatagramProtocol, Tagged, Text};
///
/// let protocol = Tagged::new(Text);
/// let mut request = Vec::new();
/// protocol.encode(&"time?".to_owned(), &mut request)?;
/// protocol.set_id(0x0102_0304, &mut request);
/// assert_eq!(request, b"\x00\x01\x02\x03\x04time?");
///
/// let response = b"\x01\x01\x02\x03\x04noon";
/// assert_eq!(protocol.id(response), Some(0x0102_0304));
/// assert_eq!(protocol.decode(response)?, "noon");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("request id", "correlation"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Tagged<P>(P);

/// The kinds of tagged datagrams.
pub(super) const REQUEST: u8 = 0;
pub(super) const RESPONSE: u8 = 1;
pub(super) const ONE_WAY: u8 = 2;
pub(super) const REFUSAL: u8 = 3;

/// The length of kind and id.
pub(super) const TAG: usize = 5;

impl<P> Tagged<P> {
    /// Creates a client's protocol around `protocol`.
    #[must_use]
    pub const fn new(protocol: P) -> Self {
        Self(protocol)
    }
}

/// Splits a datagram into its kind, its id and the rest.
pub(super) fn split(datagram: &[u8]) -> Option<(u8, u32, &[u8])> {
    let (tag, packet) = datagram.split_first_chunk::<TAG>()?;
    let [kind, id @ ..] = *tag;
    Some((kind, u32::from_be_bytes(id), packet))
}

/// Appends a tag.
pub(super) fn append(kind: u8, id: u32, datagram: &mut Vec<u8>) {
    datagram.push(kind);
    datagram.extend_from_slice(&id.to_be_bytes());
}

impl<P: DatagramProtocol> DatagramProtocol for Tagged<P> {
    type Incoming = P::Incoming;
    type Outgoing = P::Outgoing;

    fn decode(&self, datagram: &[u8]) -> Result<P::Incoming, DecodeError> {
        match split(datagram) {
            Some((RESPONSE, _, packet)) => self.0.decode(packet),
            Some((REFUSAL, ..)) => Err(DecodeError::layer("the server refuses the request")),
            Some(_) => Err(DecodeError::layer("not a tagged response")),
            None => Err(DecodeError::layer("shorter than a tag of 5 bytes")),
        }
    }

    fn encode(&self, packet: &P::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        append(REQUEST, 0, datagram);
        self.0.encode(packet, datagram)
    }

    fn shape(&self) -> Shape {
        let response = self.0.shape().with_header(TAG).and(Shape::prefix([RESPONSE]));
        response.or(Shape::prefix([REFUSAL]).and(Shape::lengths(TAG..=TAG)))
    }
}

impl<P: DatagramProtocol> Correlated for Tagged<P> {
    fn max_id(&self) -> u64 {
        u32::MAX.into()
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        match split(datagram)? {
            (RESPONSE, id, _) | (REFUSAL, id, []) => Some(id.into()),
            _ => None,
        }
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        if let Some(bytes) = request.get_mut(1..TAG) {
            bytes.copy_from_slice(&(id as u32).to_be_bytes());
        }
    }

    fn set_one_way(&self, request: &mut [u8]) {
        if let Some(kind) = request.first_mut() {
            *kind = ONE_WAY;
        }
    }

    fn is_refusal(&self, datagram: &[u8]) -> bool {
        matches!(split(datagram), Some((REFUSAL, _, [])))
    }
}
