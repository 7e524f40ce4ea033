//! How long a datagram of UDP can be, and how many are received and sent at once.

use std::net::SocketAddr;

use crate::addr::{Addr, Repr};

/// How many datagrams one batch holds. A batch of 16 already gives everything that batching can give;
/// more only keeps the runtime's other tasks waiting.
pub(crate) const BATCH: usize = 64;

/// More than any datagram has: the length field of UDP counts its header.
pub(crate) const LONGEST: usize = 65_535;

/// The largest payload of an IPv4 datagram: 65,535 less the headers of IP and UDP.
const MAX_IPV4: usize = LONGEST - 20 - 8;
/// The largest payload over IPv6, whose length field does not count its own header.
const MAX_IPV6: usize = LONGEST - 8;

/// The longest datagram that can go to `to`, in bytes.
#[inline]
pub(crate) const fn max_len(to: &Addr) -> usize {
    match to {
        Addr(Repr::Ip(SocketAddr::V4(_))) => MAX_IPV4,
        Addr(Repr::Ip(SocketAddr::V6(_))) => MAX_IPV6,
    }
}
