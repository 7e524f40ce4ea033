//! The two addresses of a datagram, and its ancillary data.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use crate::addr::Repr;
use crate::{Addr, TrafficClass, queue_time::Stamp};

/// The address of this host that a datagram came to, and the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) ip: IpAddr,
    pub(crate) interface: u32,
}

/// What the system reports with a datagram (ancillary data, RFC 3542).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ancillary {
    pub(crate) local: Option<Local>,
    pub(crate) traffic_class: Option<TrafficClass>,
    /// When it arrived, if the system or the worker knows that.
    pub(crate) arrived: Stamp,
}

/// The two addresses between which a datagram travels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) peer: Addr,
    /// The address of this host, if the socket has several addresses and the system reports which one it is.
    pub(crate) local: Option<Local>,
}

impl Clone for Route {
    #[inline]
    fn clone(&self) -> Self {
        Self { peer: self.peer.clone(), local: self.local }
    }

    #[inline]
    fn clone_from(&mut self, source: &Self) {
        self.peer.clone_from(&source.peer);
        self.local = source.local;
    }
}

impl Route {
    /// Whether datagrams on this route have the same destination, and come from the same address of this host. Several peers
    /// may be behind one proxy, and one peer behind several.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    #[inline]
    pub(crate) fn has_same_destination(&self, other: &Self) -> bool {
        let same = match (&self.peer.0, &other.peer.0) {
            (Repr::Ip(this), Repr::Ip(other)) => this == other,
            _ => self.peer.ip_socket() == other.peer.ip_socket(),
        };
        same && self.local == other.local
    }

    /// The address of this host on this route, for a socket that is bound to `bound`.
    pub(crate) fn local_addr(&self, bound: &Addr) -> Addr {
        let (Some(Local { ip, interface }), Some(port)) = (self.local, bound.port()) else {
            return bound.clone();
        };
        Addr::canonical(match ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, port, 0, interface).into()
            }
            ip => SocketAddr::new(ip, port),
        })
    }
}

impl From<Addr> for Route {
    fn from(peer: Addr) -> Self {
        Self { peer, local: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-2, B-9
    #[test]
    fn a_link_local_address_is_shown_with_its_interface() {
        let bound = "[::]:9000".parse::<SocketAddr>().unwrap().into();
        let local_addr = |ip: &str| {
            let local = Some(Local { ip: ip.parse().unwrap(), interface: 6 });
            Route { peer: Addr::clone(&bound), local }.local_addr(&bound).to_string()
        };

        assert_eq!(local_addr("fe80::1"), "[fe80::1%6]:9000");
        assert_eq!(local_addr("2001:db8::1"), "[2001:db8::1]:9000");
        assert_eq!(local_addr("192.0.2.1"), "192.0.2.1:9000");
        assert_eq!(Route::from(bound.clone()).local_addr(&bound), bound);
    }
}
