//! What the methods of a protocol return: the protocol, and what stands around or beside it.
//!
//! Only the types are here, so that the trait can name them. How each encodes and decodes stands in a file
//! of its own.

use std::fmt;

/// A protocol with a converter around it, made by [`DatagramProtocol::convert`](crate::DatagramProtocol::convert).
///
/// What the protocol inside cannot decode, the converter never sees.
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

/// A protocol with a layer around it, made by [`DatagramProtocol::layer`](crate::DatagramProtocol::layer).
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

/// A protocol for datagrams that meet a condition, made by [`DatagramProtocol::when`](crate::DatagramProtocol::when).
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

/// One protocol for the datagrams that it claims, and another for the rest, made by
/// [`DatagramProtocol::or`](crate::DatagramProtocol::or).
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
