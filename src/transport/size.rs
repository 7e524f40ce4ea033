//! How long a datagram can be, and how many are received and sent at once.

use std::net::SocketAddr;

use crate::addr::{Addr, Repr};

/// How many datagrams one batch holds. 16 are enough for the full benefit of batching; a much larger batch
/// only delays the other tasks of the runtime.
pub(crate) const BATCH: usize = 64;

/// More bytes than any UDP datagram has, because the length field of UDP includes its header.
pub(crate) const LONGEST: usize = 65_535;

/// The longest Unix datagram: 4 MiB. The kernel sends datagrams as long as its send buffer, but Linux cannot
/// allocate much more than this for one of them.
#[cfg(unix)]
pub(crate) const LONGEST_UNIX: usize = 4 << 20;

/// The largest payload of an IPv4 datagram: 65,535 less the headers of IP and UDP.
const MAX_IPV4: usize = LONGEST - 20 - 8;
/// The largest payload over IPv6. The length field of IPv6 does not include its header.
const MAX_IPV6: usize = LONGEST - 8;

/// The length of the longest datagram that can be sent to `to`, in bytes. Only the kernel knows the limit of a
/// Unix socket.
#[inline]
pub(crate) fn max_len(to: &Addr) -> usize {
    match to {
        Addr(Repr::Ip(SocketAddr::V4(_))) => MAX_IPV4,
        Addr(Repr::Ip(SocketAddr::V6(_))) => MAX_IPV6,
        Addr(Repr::Rare(_)) => max_len_of_rare(to),
    }
}

#[cold]
fn max_len_of_rare(to: &Addr) -> usize {
    match to.socket_addr() {
        None => usize::MAX,
        // The datagram goes to the proxy.
        Some(_) if to.ip_socket().is_ipv4() => MAX_IPV4,
        Some(_) => MAX_IPV6,
    }
}
