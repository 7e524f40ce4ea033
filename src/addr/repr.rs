//! What an address consists of.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    net::SocketAddr,
    sync::Arc,
};

#[cfg(unix)]
use super::unix::UnixName;

/// An address in canonical form, made by [`Addr::canonical`](super::Addr::canonical) or from an address that the kernel has returned.
#[derive(Clone, Debug)]
pub(crate) enum Repr {
    /// An IP address and a UDP port.
    Ip(SocketAddr),
    /// Apart from the others, so that one comparison tells whether an address has memory of its own.
    Rare(Rare),
}

/// An address that is behind a pointer, so that IP addresses stay small.
#[derive(Clone, Debug)]
pub(crate) enum Rare {
    /// An IP address and a UDP port behind a proxy.
    Proxied(Arc<Proxied>),
    /// The name of a Unix socket.
    #[cfg(unix)]
    Unix(UnixName),
}

/// A peer behind a proxy. Both addresses are in canonical form.
#[derive(Debug)]
pub(crate) struct Proxied {
    pub(crate) peer: SocketAddr,
    pub(super) proxy: SocketAddr,
}

impl Rare {
    /// A copy of the whole address.
    #[cold]
    pub(super) fn cloned(&self) -> Repr {
        Repr::Rare(self.clone())
    }

    /// As [`Addr::ip_socket`](super::Addr::ip_socket).
    #[cold]
    pub(super) fn ip_socket(&self) -> &SocketAddr {
        /// The kernel refuses to send to port 0.
        #[cfg(unix)]
        const NOWHERE: &SocketAddr =
            &SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 0);

        match self {
            Self::Proxied(proxied) => &proxied.proxy,
            #[cfg(unix)]
            Self::Unix(_) => NOWHERE,
        }
    }
}

impl Repr {
    /// What makes it the address of a certain peer.
    #[inline]
    fn identity(&self) -> Identity<'_> {
        match self {
            Self::Ip(addr) => Identity::Ip(addr),
            Self::Rare(Rare::Proxied(proxied)) => Identity::Ip(&proxied.peer),
            #[cfg(unix)]
            Self::Rare(Rare::Unix(name)) => Identity::Unix(name),
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Identity<'a> {
    Ip(&'a SocketAddr),
    #[cfg(unix)]
    Unix(&'a UnixName),
}

impl PartialEq for Repr {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip(this), Self::Ip(other)) => this == other,
            _ => is_same(self, other),
        }
    }
}

#[cold]
fn is_same(one: &Repr, other: &Repr) -> bool {
    one.identity() == other.identity()
}

impl Eq for Repr {}

impl PartialOrd for Repr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Repr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for Repr {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
