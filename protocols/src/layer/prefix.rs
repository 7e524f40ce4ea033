//! Fixed bytes at the start of each datagram.

use std::borrow::Cow;

use super::interface::Layer;
use crate::{
    combinator::adapter::Layered,
    error::{DecodeError, EncodeError},
    protocol::{Claim, DatagramProtocol},
    shape::Shape,
};

/// Puts fixed bytes before each datagram, and refuses datagrams that do not begin with them.
///
/// Use it for a magic number and a version. As the outermost layer it refuses datagrams of other
/// or older programs before anything else looks at them, at the cost of one comparison. It does not
/// protect from attackers, who can write these bytes too.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Prefix, Text};
///
/// let protocol = Text.layer(Prefix::new(*b"QZ\x02")); // our quiz, version 2
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"2 + 2?".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram, b"QZ\x022 + 2?");
/// assert!(protocol.decode(b"QZ\x012 + 2?").is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("magic", "version"))]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Prefix<const N: usize>([u8; N]);

impl<const N: usize> Prefix<N> {
    /// Creates a layer that writes and requires these bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Prefix, Text};
    ///
    /// const VERSION: Prefix<1> = Prefix::new([2]);
    ///
    /// assert_eq!(Text.layer(VERSION).decode(b"\x02hello")?, "hello");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> Layer for Prefix<N> {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        datagram.splice(start..start, self.0);
        Ok(())
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        match datagram.strip_prefix(&self.0) {
            Some(inner) => Ok(inner.into()),
            None => Err(DecodeError::layer("wrong prefix")),
        }
    }

    fn shape(&self, payload: &Shape) -> Shape {
        payload.with_header(N).and(Shape::prefix(self.0))
    }
}

impl<P: DatagramProtocol, const N: usize> Claim for Layered<P, Prefix<N>> {
    fn claims(&self, datagram: &[u8]) -> bool {
        datagram.starts_with(&self.layer.0)
    }
}
