use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::PeerAddr;

/// A socket address as the kernel writes it: a `sockaddr_in` or a `sockaddr_in6`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(8))]
pub(super) struct Name([u8; 28]);

const IPV4: u16 = libc::AF_INET as u16;
const IPV6: u16 = libc::AF_INET6 as u16;

impl Name {
    /// How many octets the kernel is to read.
    pub(super) const fn len(&self) -> libc::socklen_t {
        if u16::from_ne_bytes([self.0[0], self.0[1]]) == IPV4 { 16 } else { 28 }
    }

    /// The address, if it is one of IPv4.
    #[inline]
    pub(super) const fn v4(&self) -> Option<SocketAddrV4> {
        let [f0, f1, p0, p1, a, b, c, d, ..] = self.0;
        if u16::from_ne_bytes([f0, f1]) != IPV4 {
            return None;
        }
        Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p0, p1])))
    }

    /// The peer at this address, unless it is of another family.
    pub(super) fn peer(&self) -> Option<PeerAddr> {
        let [f0, f1, p0, p1, rest @ ..] = &self.0;
        match u16::from_ne_bytes([*f0, *f1]) {
            IPV4 => self.v4().map(|v4| PeerAddr::Ip(v4.into())),
            IPV6 => {
                let port = u16::from_be_bytes([*p0, *p1]);
                let (ip, scope) = (rest[4..20].first_chunk()?, rest[20..24].first_chunk()?);
                let scope = u32::from_ne_bytes(*scope);
                let addr = SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, scope);
                Some(PeerAddr::canonical(addr.into()))
            }
            _ => None,
        }
    }
}

impl From<SocketAddr> for Name {
    fn from(addr: SocketAddr) -> Self {
        let mut name = [0; 28];
        name[2..4].copy_from_slice(&addr.port().to_be_bytes());
        match addr {
            SocketAddr::V4(v4) => {
                name[..2].copy_from_slice(&IPV4.to_ne_bytes());
                name[4..8].copy_from_slice(&v4.ip().octets());
            }
            SocketAddr::V6(v6) => {
                name[..2].copy_from_slice(&IPV6.to_ne_bytes());
                name[8..24].copy_from_slice(&v6.ip().octets());
                name[24..].copy_from_slice(&v6.scope_id().to_ne_bytes());
            }
        }
        Self(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_laid_out_as_the_kernel_does_it() {
        let v4 = Name::from("192.0.2.7:9000".parse::<SocketAddr>().unwrap());
        let v6 = Name::from("[fe80::1%6]:9000".parse::<SocketAddr>().unwrap());

        assert_eq!(v4.0[2..8], [0x23, 0x28, 192, 0, 2, 7]);
        assert_eq!((v4.len(), v6.len()), (16, 28));
        assert_eq!(v4.peer().unwrap().to_string(), "192.0.2.7:9000");
        assert_eq!(v6.peer().unwrap().to_string(), "[fe80::1%6]:9000");
        assert_eq!(Name::default().peer(), None);
    }
}
