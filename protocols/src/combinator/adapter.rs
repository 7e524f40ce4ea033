//! The types that the methods of `DatagramProtocol` return.
//!
//! Only the types are here, so that the trait can name them. Each one has a file with its `impl` of
//! `DatagramProtocol`.

use std::fmt;

use crate::shape::Shape;

/// A protocol with a converter around it, made by
/// [`DatagramProtocol::convert`](crate::DatagramProtocol::convert).
///
/// The converter never sees a datagram that the inner protocol refuses.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Convert, DatagramProtocol, Text, TryConvert};
///
/// type Chars = Convert<Text, TryConvert<String, Box<str>, String, String>>;
///
/// let protocol: Chars = Text.convert(TryConvert::new());
///
/// assert_eq!(&*protocol.decode(b"hello")?, "hello");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "map")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Convert<P, C> {
    pub(crate) protocol: P,
    pub(crate) converter: C,
}

impl<P, C> Convert<P, C> {
    pub(crate) const fn new(protocol: P, converter: C) -> Self {
        Self { protocol, converter }
    }
}

/// A protocol with a layer around it, made by
/// [`DatagramProtocol::layer`](crate::DatagramProtocol::layer).
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Layered, Prefix, Text};
///
/// fn protocol() -> Layered<Text, Prefix<2>> {
///     Text.layer(Prefix::new(*b"QZ"))
/// }
///
/// assert_eq!(protocol().decode(b"QZhello")?, "hello");
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Layered<P, L> {
    pub(crate) protocol: P,
    pub(crate) layer: L,
}

impl<P, L> Layered<P, L> {
    pub(crate) const fn new(protocol: P, layer: L) -> Self {
        Self { protocol, layer }
    }
}

/// A protocol with a condition, made by [`DatagramProtocol::when`](crate::DatagramProtocol::when):
/// it accepts only datagrams that meet the condition.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Claim, DatagramProtocol, Text, When};
///
/// let commands: When<Text, fn(&[u8]) -> bool> = Text.when(|datagram| datagram.starts_with(b"/"));
///
/// assert!(commands.claims(b"/join"));
/// assert!(!commands.claims(b"hello"));
/// ```
#[derive(Clone, Copy)]
pub struct When<P, F> {
    pub(crate) protocol: P,
    pub(crate) condition: F,
}

impl<P, F> When<P, F> {
    pub(crate) const fn new(protocol: P, condition: F) -> Self {
        Self { protocol, condition }
    }
}

impl<P: fmt::Debug, F> fmt::Debug for When<P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("When").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// A protocol with a shape, made by [`DatagramProtocol::shaped`](crate::DatagramProtocol::shaped): it
/// accepts only datagrams of that shape.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Claim, DatagramProtocol, Shape, Shaped, Text};
///
/// let commands: Shaped<Text> = Text.shaped(Shape::prefix(b"/"));
///
/// assert!(commands.claims(b"/join"));
/// assert!(!commands.claims(b"hello"));
/// ```
#[derive(Clone, Debug)]
pub struct Shaped<P> {
    pub(crate) protocol: P,
    pub(crate) shape: Shape,
}

impl<P> Shaped<P> {
    pub(crate) const fn new(protocol: P, shape: Shape) -> Self {
        Self { protocol, shape }
    }
}

/// Two protocols on one port, made by [`DatagramProtocol::or`](crate::DatagramProtocol::or): one
/// for the datagrams that it claims, the other for the rest.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Choice, DatagramProtocol, Either, Layered, Prefix, Raw, Text};
///
/// fn protocol() -> Choice<Layered<Text, Prefix<1>>, Raw> {
///     Text.layer(Prefix::new(*b"T")).or(Raw)
/// }
///
/// assert_eq!(protocol().decode(b"Thello")?, Either::Left("hello".to_owned()));
/// assert_eq!(protocol().decode(b"hello")?, Either::Right(b"hello"[..].into()));
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<A, B> {
    pub(crate) one: A,
    pub(crate) other: B,
}

impl<A, B> Choice<A, B> {
    pub(crate) const fn new(one: A, other: B) -> Self {
        Self { one, other }
    }
}
