//! Several protocols on one port, told apart by the bytes of the datagram.

mod either;
mod when;

pub use self::{
    either::Either,
    when::{When, first_byte},
};
use crate::{DatagramProtocol, DecodeError, EncodeError};

/// A protocol that tells its own datagrams from those of others, so that another one can stand
/// beside it: [`protocol.or(…)`](DatagramProtocol::or).
///
/// Any protocol becomes one by a condition, [`protocol.when(…)`](DatagramProtocol::when). One with
/// the layer [`Prefix`](crate::Prefix) around it is one already, and so are two of them with `or`
/// between. Implement it for a protocol of your own that knows itself by more than that.
///
/// An implementation keeps to this: what it encodes, it claims. And it is cheap, since every
/// datagram comes by, and a choice among many asks more than once.
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{Claim, DatagramProtocol, DecodeError, EncodeError, Text};
///
/// /// A request of STUN for an address (RFC 8489), as its transaction id.
/// struct Binding;
///
/// impl Claim for Binding {
///     fn claims(&self, datagram: &[u8]) -> bool {
///         datagram.len() >= 20 && datagram[0] < 4 && datagram[4..8] == COOKIE
///     }
/// }
///
/// impl DatagramProtocol for Binding {
///     type Incoming = [u8; 12];
///     type Outgoing = [u8; 12];
///
///     fn decode(&self, datagram: &[u8]) -> Result<[u8; 12], DecodeError> {
///         match datagram.strip_prefix(&[0, 1, 0, 0]).and_then(|rest| rest.strip_prefix(&COOKIE)) {
///             Some(id) => id.try_into().map_err(|_| DecodeError::codec("12 bytes were expected")),
///             None => Err(DecodeError::codec("a request without attributes was expected")),
///         }
///     }
///
///     fn encode(&self, id: &[u8; 12], datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
///         datagram.extend([&[0, 1, 0, 0], &COOKIE, &id[..]].concat());
///         Ok(())
///     }
/// }
///
/// const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
///
/// let protocol = Binding.or(Text);
///
/// assert_eq!(protocol.decode(b"\0\x01\0\0\x21\x12\xa4\x42transaction!")?.left(), Some(*b"transaction!"));
/// assert_eq!(protocol.decode(b"\0\x01 is text")?.right(), Some("\0\x01 is text".to_owned()));
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell which datagrams are its own",
    label = "expected a protocol with a condition or a prefix",
    note = "write `protocol.when(first_byte(128..=191))` or `protocol.layer(Prefix::new(*b\"magic\"))`"
)]
pub trait Claim: DatagramProtocol {
    /// Tells whether `datagram` is this protocol's, which does not yet mean that it is valid.
    fn claims(&self, datagram: &[u8]) -> bool;
}

/// One protocol for the datagrams that it claims, and another for the rest, made by
/// [`DatagramProtocol::or`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<A, B> {
    one: A,
    other: B,
}

impl<A, B> Choice<A, B> {
    pub(crate) const fn new(one: A, other: B) -> Self {
        Self { one, other }
    }
}

impl<A: Claim, B: DatagramProtocol> DatagramProtocol for Choice<A, B> {
    type Incoming = Either<A::Incoming, B::Incoming>;
    type Outgoing = Either<A::Outgoing, B::Outgoing>;

    fn decode(&self, datagram: &[u8]) -> Result<Self::Incoming, DecodeError> {
        if self.one.claims(datagram) {
            self.one.decode(datagram).map(Either::Left)
        } else {
            self.other.decode(datagram).map(Either::Right)
        }
    }

    fn encode(&self, packet: &Self::Outgoing, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let packet = match packet {
            Either::Left(packet) => return self.one.encode(packet, datagram),
            Either::Right(packet) => packet,
        };

        let start = datagram.len();
        self.other.encode(packet, datagram)?;
        // The other side would take it for something else.
        if datagram.get(start..).is_some_and(|bytes| self.one.claims(bytes)) {
            return Err(EncodeError::layer("bytes that no other protocol claims were expected"));
        }
        Ok(())
    }
}

impl<A: Claim, B: Claim> Claim for Choice<A, B> {
    fn claims(&self, datagram: &[u8]) -> bool {
        self.one.claims(datagram) || self.other.claims(datagram)
    }
}
