//! The trait of every layer.

use std::{borrow::Cow, sync::Arc};

use crate::error::{DecodeError, EncodeError};

/// Changes the bytes of a protocol on their way out, and undoes that on their way in.
///
/// A layer knows nothing of packets, so it goes around any protocol:
/// [`protocol.layer(…)`](crate::DatagramProtocol::layer). What an implementation keeps to is what a
/// [protocol](crate::DatagramProtocol#what-an-implementation-keeps-to) keeps to: the whole datagram is its
/// own, it has no memory, it does not panic, and it costs no more than what was really received can
/// justify, or than a limit that the user has set.
///
/// # Examples
///
/// A layer of your own, which hides bytes from the eyes of nobody:
///
/// ```
/// use std::borrow::Cow;
///
/// use datagrammar_protocols::{DatagramProtocol, DecodeError, EncodeError, Layer, Text};
///
/// struct Mask(u8);
///
/// impl Layer for Mask {
///     fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
///         datagram[start..].iter_mut().for_each(|byte| *byte ^= self.0);
///         Ok(())
///     }
///
///     fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
///         Ok(datagram.iter().map(|byte| byte ^ self.0).collect())
///     }
/// }
///
/// let protocol = Text.layer(Mask(0x20));
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"hello".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram, b"HELLO");
/// assert_eq!(protocol.decode(b"HELLO")?, "hello");
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "expected something that changes bytes, such as `Prefix`",
    note = "a layer of your own implements `Layer`"
)]
pub trait Layer {
    /// Changes the bytes that the protocol inside has appended to `datagram`: those from `start`
    /// on. What is before them stays as it is.
    ///
    /// # Errors
    ///
    /// Returns an error of the [kind](crate::ErrorKind) `Layer` if it cannot. The caller then
    /// discards what is behind `start`.
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError>;

    /// Returns the bytes of the protocol inside: a part of `datagram`, or bytes made from it.
    ///
    /// # Errors
    ///
    /// Returns an error of the [kind](crate::ErrorKind) `Layer` if the whole of `datagram` is not
    /// what [`apply`](Self::apply) makes of something.
    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError>;
}

impl<L: Layer + ?Sized> Layer for &L {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        (**self).apply(datagram, start)
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        (**self).undo(datagram)
    }
}

impl<L: Layer + ?Sized> Layer for Box<L> {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        (**self).apply(datagram, start)
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        (**self).undo(datagram)
    }
}

impl<L: Layer + ?Sized> Layer for Arc<L> {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        (**self).apply(datagram, start)
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        (**self).undo(datagram)
    }
}
