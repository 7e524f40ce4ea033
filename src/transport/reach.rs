//! Which sockets can send to an address.

use socket2::SockRef;

use super::Transport;
use crate::Addr;
#[cfg(unix)]
use crate::addr::{Rare, Repr, UnixName};

/// Whether `transport` can send to the family of `peer`, and a peer can have that address.
pub(crate) fn reaches(transport: &dyn Transport, peer: &Addr) -> bool {
    #[cfg(unix)]
    if let (Repr::Rare(Rare::Unix(peer)), Repr::Rare(Rare::Unix(_))) =
        (&peer.0, &transport.local_addr().0)
    {
        return matches!(peer, UnixName::Named(_));
    }
    let (Some(named), Some(local)) = (peer.socket_addr(), transport.local_addr().socket_addr())
    else {
        return false;
    };
    let is_for = || transport.is_for(peer);
    // The way leads to the proxy, if there is one.
    let peer = peer.proxy().unwrap_or(named);
    if peer.port() == 0 || peer.ip().is_unspecified() {
        return false;
    }
    // `[::]` includes all IPv4 addresses, unless its socket is for IPv6 only.
    let dual = || {
        let socket = transport.socket();
        socket.is_some_and(|socket| matches!(SockRef::from(&socket).only_v6(), Ok(false)))
    };
    let family = local.is_ipv4() == peer.is_ipv4()
        || peer.is_ipv4() && local.ip().is_unspecified() && dual();
    // A socket on a loopback address reaches only this host. A socket on another address does not reach
    // loopback addresses.
    let loopback = local.ip().is_unspecified()
        || peer.ip().is_multicast()
        || local.ip().is_loopback() == peer.ip().is_loopback();
    family && loopback && is_for()
}
