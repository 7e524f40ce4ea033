//! The trait of protocols whose packets carry an id.

use std::sync::Arc;

use crate::protocol::DatagramProtocol;

/// A protocol whose packets carry an id, so that a response finds its request.
///
/// A request client sets the id of each request, reads the id of each datagram that it receives, and
/// decodes only those that answer a request. A server with a reply cache reads the ids of requests and
/// responses.
///
/// Implement it for a protocol that has ids on the wire: DNS, RADIUS, CoAP, STUN. If yours has none,
/// [`Tagged`](crate::Tagged) adds one to any protocol, and [`LockStep`](crate::LockStep) does without.
///
/// # Examples
///
/// The client's side of DNS, which has 16-bit ids in its first two bytes ([RFC 1035], section 4.1.1). A bit
/// in the third one says that the message is a response:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Bytes, Correlated, DatagramProtocol, DecodeError, EncodeError, Raw};
///
/// /// DNS messages as bytes.
/// struct Dns;
///
/// impl Correlated for Dns {
///     fn max_id(&self) -> u64 {
///         u16::MAX.into()
///     }
///
///     fn id(&self, datagram: &[u8]) -> Option<u64> {
///         let [a, b, flags, ..] = datagram else { return None };
///         (flags & 0x80 != 0).then(|| u16::from_be_bytes([*a, *b]).into())
///     }
///
///     fn set_id(&self, id: u64, request: &mut [u8]) {
///         request[..2].copy_from_slice(&(id as u16).to_be_bytes());
///     }
/// }
///
/// # impl DatagramProtocol for Dns {
/// #     type Incoming = Bytes;
/// #     type Outgoing = Bytes;
/// #     fn decode(&self, datagram: &[u8]) -> Result<Bytes, DecodeError> { Raw.decode(datagram) }
/// #     fn encode(&self, packet: &Bytes, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
/// #         Raw.encode(packet, datagram)
/// #     }
/// # }
/// let mut request = vec![0, 0, 1, 0];
/// Dns.set_id(0x1234, &mut request);
///
/// assert_eq!(request, [0x12, 0x34, 1, 0]);
/// assert_eq!(Dns.id(&[0x12, 0x34, 0x81, 0x80]), Some(0x1234));
/// assert_eq!(Dns.id(&request), None); // not a response
/// ```
///
/// [RFC 1035]: https://www.rfc-editor.org/rfc/rfc1035
#[doc(alias("request id", "transaction id", "correlation id"))]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which response belongs to which request",
    label = "expected a protocol with ids",
    note = "write `Tagged::new(protocol)`, or implement `Correlated` if the packets carry ids"
)]
pub trait Correlated: DatagramProtocol {
    /// Returns the largest id. There are `max_id() + 1` ids, from 0. With 0, only one request can be
    /// in flight.
    ///
    /// A request client does not use an id again for 46 s, so that a late response answers no other
    /// request: that is its total time and its longest timer. So it sends at most `max_id() + 1` requests in
    /// that time to one server. 256 ids are 5 requests a second; with more, shorten both, or connect several
    /// clients.
    fn max_id(&self) -> u64;

    /// Returns the id in a datagram, before it is decoded. Returns `None` if it carries none, or if it is
    /// of no interest to this endpoint.
    ///
    /// For a client, a datagram with an id is a response. A server with a reply cache reads the ids of requests
    /// and of responses. So a type for both sides returns the ids of both, and
    /// [`is_answer`](Self::is_answer) then rejects a request that is reflected to the client. A type that only
    /// clients use returns `None` for a request instead.
    ///
    /// The datagram may come from an attacker and have any length.
    #[must_use]
    fn id(&self, datagram: &[u8]) -> Option<u64>;

    /// Writes `id` into an encoded request. `request` is what [`encode`](DatagramProtocol::encode) has
    /// written, and `id` is at most [`max_id`](Self::max_id).
    fn set_id(&self, id: u64, request: &mut [u8]);

    /// Marks an encoded request as one that needs no response. The default does nothing.
    fn set_one_way(&self, request: &mut [u8]) {
        let _ = request;
    }

    /// Returns whether a received datagram, which has the id of `request`, really answers it. The default is
    /// true.
    ///
    /// A datagram that does not is dropped, and the request goes on. So a protocol with few ids is protected
    /// from forged responses: DNS repeats the question in the response, RADIUS hashes the request with a
    /// secret. `request` is what was sent, with its id.
    #[must_use]
    fn is_answer(&self, request: &[u8], datagram: &[u8]) -> bool {
        let _ = (request, datagram);
        true
    }

    /// Returns whether a datagram with an id says that the server refuses the request. The default is
    /// false.
    #[must_use]
    fn is_refusal(&self, datagram: &[u8]) -> bool {
        let _ = datagram;
        false
    }
}

/// Implements [`Correlated`] for a pointer to a protocol.
macro_rules! through {
    ($($pointer:ty),*) => {$(
        impl<P: Correlated + ?Sized> Correlated for $pointer {
            fn max_id(&self) -> u64 {
                (**self).max_id()
            }

            fn id(&self, datagram: &[u8]) -> Option<u64> {
                (**self).id(datagram)
            }

            fn set_id(&self, id: u64, request: &mut [u8]) {
                (**self).set_id(id, request);
            }

            fn set_one_way(&self, request: &mut [u8]) {
                (**self).set_one_way(request);
            }

            fn is_answer(&self, request: &[u8], datagram: &[u8]) -> bool {
                (**self).is_answer(request, datagram)
            }

            fn is_refusal(&self, datagram: &[u8]) -> bool {
                (**self).is_refusal(datagram)
            }
        }
    )*};
}

through!(&P, Box<P>, Arc<P>);
