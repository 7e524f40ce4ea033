//! Socket addresses in the format of the kernel.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::{
    addr::{Addr, Repr},
    transport::kernel::{Aligned, mmsg::NAME},
};

/// A socket address in the format of the kernel: a `sockaddr_in` or a `sockaddr_in6`.
pub(super) type Name = Aligned<NAME>;

const IPV4: u16 = libc::AF_INET as u16;
const IPV6: u16 = libc::AF_INET6 as u16;

impl Name {
    /// Writes `addr` for an IPv4 socket, or for an IPv6 socket, which uses mapped addresses for IPv4 peers.
    /// Returns how many bytes it wrote.
    #[inline]
    pub(super) fn write(&mut self, addr: &SocketAddr, ipv6: bool) -> libc::socklen_t {
        match addr {
            SocketAddr::V4(v4) if !ipv6 => {
                let ([f0, f1], [p0, p1]) = (IPV4.to_ne_bytes(), v4.port().to_be_bytes());
                let [a, b, c, d] = v4.ip().octets();
                // The kernel ignores the bytes that follow.
                self.0[..8].copy_from_slice(&[f0, f1, p0, p1, a, b, c, d]);
                16
            }
            SocketAddr::V4(v4) => self.write_v6(v4.ip().to_ipv6_mapped(), v4.port(), 0),
            SocketAddr::V6(v6) => self.write_v6(*v6.ip(), v6.port(), v6.scope_id()),
        }
    }

    fn write_v6(&mut self, ip: Ipv6Addr, port: u16, scope: u32) -> libc::socklen_t {
        self.0[..2].copy_from_slice(&IPV6.to_ne_bytes());
        self.0[2..4].copy_from_slice(&port.to_be_bytes());
        self.0[4..8].fill(0); // the flow label
        self.0[8..24].copy_from_slice(&ip.octets());
        self.0[24..].copy_from_slice(&scope.to_ne_bytes());
        28
    }

    /// The address, if it is an IPv4 address.
    #[inline]
    pub(super) const fn v4(&self) -> Option<SocketAddrV4> {
        let [f0, f1, p0, p1, a, b, c, d, ..] = self.0;
        if u16::from_ne_bytes([f0, f1]) != IPV4 {
            return None;
        }
        Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p0, p1])))
    }

    /// The peer at this address; `None` if the family is neither IPv4 nor IPv6.
    pub(super) fn peer(&self) -> Option<Addr> {
        let [f0, f1, p0, p1, rest @ ..] = &self.0;
        match u16::from_ne_bytes([*f0, *f1]) {
            IPV4 => self.v4().map(|v4| Addr(Repr::Ip(v4.into()))),
            IPV6 => {
                let port = u16::from_be_bytes([*p0, *p1]);
                let (ip, scope) = (rest[4..20].first_chunk()?, rest[20..24].first_chunk()?);
                let scope = u32::from_ne_bytes(*scope);
                let addr = SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, scope);
                Some(Addr::canonical(addr.into()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of `addr`, written over an earlier name.
    fn name(addr: &str, ipv6: bool) -> Name {
        let mut name = Aligned([0xff; NAME]);
        let len = name.write(&addr.parse().unwrap(), ipv6);
        assert_eq!(len, if ipv6 { 28 } else { 16 });
        name
    }

    #[test]
    fn an_address_has_the_layout_of_the_kernel() {
        let (v4, mapped) = (name("192.0.2.7:9000", false), name("192.0.2.7:9000", true));
        let v6 = name("[fe80::1%6]:9000", true);

        assert_eq!(v4.0[2..8], [0x23, 0x28, 192, 0, 2, 7]);
        assert_eq!(mapped.0[18..24], [0xff, 0xff, 192, 0, 2, 7]);
        assert_eq!(v4.peer().unwrap().to_string(), "192.0.2.7:9000");
        assert_eq!(mapped.peer(), v4.peer());
        assert_eq!(v6.peer().unwrap().to_string(), "[fe80::1%6]:9000");
        assert_eq!(Name::default().peer(), None);
    }
}
