//! Decides which socket serves a multicast or broadcast datagram. The kernel delivers a copy to each socket
//! that shares the address. Only one copy is served: the one at the socket that receives the unicast
//! datagrams of that peer.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, UdpSocket},
};

use super::reuseport::worker_of;
use crate::{Addr, transport::WorkerIndex};

/// The peers of one of several sockets on an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share(WorkerIndex);

impl Share {
    /// The peers of the socket at `place`, if other sockets share its address.
    pub(super) fn of(place: WorkerIndex) -> Option<Self> {
        (place.of > 1).then_some(Self(place))
    }

    /// The share of the socket at `place`, if other sockets can receive copies of datagrams that come to
    /// `bound`.
    pub(super) fn new(place: WorkerIndex, bound: IpAddr) -> Option<Self> {
        let several = place.of > 1 && (bound.is_unspecified() || is_of_many(bound));
        several.then_some(Self(place))
    }

    pub(super) fn has(self, peer: &Addr) -> bool {
        // Of a peer behind a proxy, the peer counts.
        let Some(peer) = peer.socket_addr() else { return false };
        worker_of(peer.ip(), peer.port(), self.0.of) == self.0.number
    }
}

/// Whether `ip` is a multicast group or a broadcast address of this host.
fn is_of_many(ip: IpAddr) -> bool {
    // Only the kernel knows the broadcast addresses. It refuses to connect a socket to one of them unless the
    // socket asked for broadcast. Nothing is sent.
    let connect = |ip| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?.connect((ip, 9));
    let refused = |error: io::Error| error.raw_os_error() == Some(libc::EACCES);
    ip.is_multicast() || ip.is_ipv4() && connect(ip).is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    // B-12
    #[test]
    fn multicast_and_broadcast_addresses_are_recognized() {
        for many in ["239.255.77.1", "ff02::1", "255.255.255.255", "127.255.255.255"] {
            assert!(is_of_many(many.parse().unwrap()), "{many}");
        }
        for one in ["127.0.0.1", "127.0.0.2", "::1"] {
            assert!(!is_of_many(one.parse().unwrap()), "{one}");
        }
    }

    // B-12
    #[test]
    fn each_peer_is_in_one_share() {
        let of = 5;
        let share = |number| Share::new(WorkerIndex { number, of }, Ipv4Addr::UNSPECIFIED.into());
        let shares: Vec<_> = (0..of).map(|number| share(number).unwrap()).collect();

        for port in 1..1_000 {
            let peer = std::net::SocketAddr::from(([192, 0, 2, 7], port)).into();
            assert_eq!(shares.iter().filter(|share| share.has(&peer)).count(), 1);
        }
    }

    #[test]
    fn there_is_no_share_if_no_other_socket_receives_copies() {
        let share =
            |of, bound: &str| Share::new(WorkerIndex { number: 0, of }, bound.parse().unwrap());

        assert!(share(1, "0.0.0.0").is_none());
        assert!(share(2, "127.0.0.1").is_none());
    }
}
