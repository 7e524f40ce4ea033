//! A request with the address of its peer.

use crate::Addr;

/// A packet, and the address of the peer that has sent it: the request of a [service with addresses](super::service_with_addr).
///
/// # Examples
///
/// ```
/// use datagrammar::{Addr, tower::Request};
///
/// let addr: Addr = "192.0.2.1:7000".parse().unwrap();
/// let request = Request::new("hello", addr.clone());
/// assert_eq!((request.get_ref(), request.addr()), (&"hello", &addr));
/// assert_eq!(request.map(str::len).into_inner(), 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request<T> {
    packet: T,
    addr: Addr,
}

impl<T> Request<T> {
    /// Makes a request, for example to test a service.
    #[must_use]
    pub const fn new(packet: T, addr: Addr) -> Self {
        Self { packet, addr }
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn addr(&self) -> &Addr {
        &self.addr
    }

    /// Returns a reference to the packet.
    #[must_use]
    pub const fn get_ref(&self) -> &T {
        &self.packet
    }

    /// Returns a mutable reference to the packet.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.packet
    }

    /// Returns the packet.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.packet
    }

    /// Returns the packet and the address.
    #[must_use]
    pub fn into_parts(self) -> (T, Addr) {
        (self.packet, self.addr)
    }

    /// Changes the packet, for example in a middleware.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Request<U> {
        Request { packet: change(self.packet), addr: self.addr }
    }
}
