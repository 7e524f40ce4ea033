//! The trait of all layers.

use std::{borrow::Cow, sync::Arc};

use crate::{
    error::{DecodeError, EncodeError},
    shape::Shape,
};

/// Changes the bytes of a protocol when it encodes, and undoes the change when it decodes.
///
/// A layer does not know packets. It changes the payload, that is, the bytes of the inner protocol.
/// So it wraps any protocol: [`protocol.layer(…)`](crate::DatagramProtocol::layer).
///
/// An implementation must keep the [rules of a protocol](crate::DatagramProtocol#rules): it
/// processes the whole datagram, it has no state, and it does not panic. It uses memory in
/// proportion to the received bytes, or up to a limit that the user sets.
///
/// # Examples
///
/// A layer that masks bytes. It does not protect them:
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use std::borrow::Cow;
///
/// use datagrammar::{DatagramProtocol, DecodeError, EncodeError, Layer, Text};
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
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "middleware")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "expected a layer such as `Prefix` or `Zlib`",
    note = "a layer of your own implements `Layer`"
)]
pub trait Layer {
    /// Changes the payload, which the inner protocol has appended to `datagram`: the bytes from
    /// `start` on. The bytes before `start` do not change.
    ///
    /// # Errors
    ///
    /// Returns an error of the [kind](crate::ErrorKind) `Layer` if it cannot change the payload.
    /// The caller then discards the bytes from `start` on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Layer, Prefix};
    ///
    /// let mut datagram = b"before text".to_vec();
    /// Prefix::new(*b"QZ").apply(&mut datagram, 7)?;
    ///
    /// assert_eq!(datagram, b"before QZtext");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError>;

    /// Returns the payload: a part of `datagram`, or bytes made from it.
    ///
    /// # Errors
    ///
    /// Returns an error of the [kind](crate::ErrorKind) `Layer` if `datagram` as a whole cannot be
    /// a result of [`apply`](Self::apply).
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Layer, Prefix};
    ///
    /// assert_eq!(*Prefix::new(*b"QZ").undo(b"QZtext")?, *b"text");
    /// assert!(Prefix::new(*b"QZ").undo(b"text").is_err());
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError>;

    /// Returns what all datagrams have in common whose payload has the shape `payload`. The default is
    /// [`Shape::any`].
    ///
    /// It must include every datagram from which [`undo`](Self::undo) makes such a payload; see
    /// [`DatagramProtocol::shape`](crate::DatagramProtocol::shape).
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{Layer, Prefix, Shape};
    ///
    /// let shape = Prefix::new(*b"QZ").shape(&Shape::lengths(4..=4));
    ///
    /// assert!(shape.matches(b"QZtext"));
    /// assert!(!shape.matches(b"QZlonger") && !shape.matches(b"a text"));
    /// ```
    #[must_use]
    fn shape(&self, payload: &Shape) -> Shape {
        let _ = payload;
        Shape::any()
    }
}

impl<L: Layer + ?Sized> Layer for &L {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        (**self).apply(datagram, start)
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        (**self).undo(datagram)
    }

    fn shape(&self, payload: &Shape) -> Shape {
        (**self).shape(payload)
    }
}

impl<L: Layer + ?Sized> Layer for Box<L> {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        (**self).apply(datagram, start)
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        (**self).undo(datagram)
    }

    fn shape(&self, payload: &Shape) -> Shape {
        (**self).shape(payload)
    }
}

impl<L: Layer + ?Sized> Layer for Arc<L> {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        (**self).apply(datagram, start)
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        (**self).undo(datagram)
    }

    fn shape(&self, payload: &Shape) -> Shape {
        (**self).shape(payload)
    }
}
