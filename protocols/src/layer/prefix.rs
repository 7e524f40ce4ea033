//! Fixed bytes before each datagram.

use std::borrow::Cow;

use super::interface::Layer;
use crate::{
    combinator::adapter::Layered,
    error::{DecodeError, EncodeError},
    protocol::{Claim, DatagramProtocol},
};

/// Puts fixed bytes before each datagram, and refuses what does not begin with them.
///
/// A magic number and a version, most often: what strangers and older programs send is refused
/// before anything else looks at it. As the outermost layer it costs one comparison. It protects
/// from accidents, not from attackers, who can write these bytes too.
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, Prefix, Text};
///
/// let protocol = Text.layer(Prefix::new(*b"QZ\x02")); // our quiz, version 2
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"2 + 2?".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram, b"QZ\x022 + 2?");
/// assert!(protocol.decode(b"QZ\x012 + 2?").is_err());
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Prefix<const N: usize>([u8; N]);

impl<const N: usize> Prefix<N> {
    /// Creates the layer of these bytes.
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
}

impl<P: DatagramProtocol, const N: usize> Claim for Layered<P, Prefix<N>> {
    fn claims(&self, datagram: &[u8]) -> bool {
        datagram.starts_with(&self.layer.0)
    }
}
