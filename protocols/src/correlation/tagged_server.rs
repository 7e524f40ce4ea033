//! The server's side of tagged packets.

use std::ops::Deref;

use super::{
    correlated::Correlated,
    tagged::{ONE_WAY, REFUSAL, REQUEST, RESPONSE, TAG, append, split},
};
use crate::{
    error::{DecodeError, EncodeError},
    protocol::DatagramProtocol,
    shape::Shape,
};

/// Puts a kind and a 32-bit id in front of each packet of another protocol: the server's side of
/// [`Tagged`](crate::Tagged), which describes the format.
///
/// A plain function gets requests and returns responses of the inner protocol, as without tags. A handler
/// gets [`TaggedRequest`]s, and answers each one with [`request.respond(packet)`](TaggedRequest::respond).
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, TaggedServer, Text};
///
/// let protocol = TaggedServer::new(Text);
/// let request = protocol.decode(b"\x00\x01\x02\x03\x04time?")?;
/// assert_eq!(*request, "time?");
///
/// let mut response = Vec::new();
/// protocol.encode(&request.respond("noon".to_owned()), &mut response)?;
/// assert_eq!(response, b"\x01\x01\x02\x03\x04noon");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TaggedServer<P>(P);

impl<P> TaggedServer<P> {
    /// Creates a server's protocol around `protocol`.
    #[must_use]
    pub const fn new(protocol: P) -> Self {
        Self(protocol)
    }
}

/// A request with its id; [`TaggedServer`] decodes it. It dereferences to the packet.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, TaggedServer, Text};
///
/// let request = TaggedServer::new(Text).decode(b"\x02\0\0\0\x07bye")?;
///
/// assert!(!request.wants_response());
/// assert_eq!((request.id(), request.into_packet()), (7, "bye".to_owned()));
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaggedRequest<T> {
    id: u32,
    one_way: bool,
    packet: T,
}

impl<T> TaggedRequest<T> {
    /// Returns the packet.
    #[must_use]
    pub fn into_packet(self) -> T {
        self.packet
    }

    /// Returns the id, which the client has chosen.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Returns whether the client waits for a response.
    #[must_use]
    pub const fn wants_response(&self) -> bool {
        !self.one_way
    }

    /// Makes the response to this request.
    #[must_use]
    pub const fn respond<R>(&self, packet: R) -> TaggedResponse<R> {
        TaggedResponse { id: self.id, packet: Some(packet) }
    }

    /// Makes the refusal of this request. A request client then fails at once, and does not repeat the
    /// request.
    #[must_use]
    pub const fn refuse<R>(&self) -> TaggedResponse<R> {
        TaggedResponse { id: self.id, packet: None }
    }

    /// Splits the packet off.
    #[must_use]
    pub fn split(self) -> (TaggedRequest<()>, T) {
        let Self { id, one_way, packet } = self;
        (TaggedRequest { id, one_way, packet: () }, packet)
    }
}

impl<T> Deref for TaggedRequest<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.packet
    }
}

/// A response or a refusal with the id of its request; made by [`TaggedRequest::respond`] and
/// [`refuse`](TaggedRequest::refuse).
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, TaggedServer, Text};
///
/// let protocol = TaggedServer::new(Text);
/// let request = protocol.decode(b"\x00\0\0\0\x07shutdown")?;
/// let mut datagram = Vec::new();
/// protocol.encode(&request.refuse(), &mut datagram)?;
///
/// assert_eq!(datagram, b"\x03\0\0\0\x07");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaggedResponse<T> {
    id: u32,
    packet: Option<T>,
}

impl<P: DatagramProtocol> DatagramProtocol for TaggedServer<P> {
    type Incoming = TaggedRequest<P::Incoming>;
    type Outgoing = TaggedResponse<P::Outgoing>;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        let Some((kind @ (REQUEST | ONE_WAY), id, packet)) = split(datagram) else {
            return Err(DecodeError::layer("not a tagged request"));
        };
        Ok(TaggedRequest { id, one_way: kind == ONE_WAY, packet: self.0.decode(packet)? })
    }

    fn encode(&self, response: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        match &response.packet {
            Some(packet) => {
                append(RESPONSE, response.id, datagram);
                self.0.encode(packet, datagram)
            }
            None => {
                append(REFUSAL, response.id, datagram);
                Ok(())
            }
        }
    }

    fn shape(&self) -> Shape {
        let kinds = Shape::prefix([REQUEST]).or(Shape::prefix([ONE_WAY]));
        self.0.shape().with_header(TAG).and(kinds)
    }
}

impl<P: DatagramProtocol> Correlated for TaggedServer<P> {
    fn max_id(&self) -> u64 {
        u32::MAX.into()
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        let (kind, id, _) = split(datagram)?;
        (kind <= REFUSAL).then(|| id.into())
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        super::tagged::Tagged::new(&self.0).set_id(id, request);
    }

    fn is_refusal(&self, datagram: &[u8]) -> bool {
        super::tagged::Tagged::new(&self.0).is_refusal(datagram)
    }
}
