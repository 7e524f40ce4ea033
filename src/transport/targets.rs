//! What a user calls an address, in all its forms.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What a server can be bound to: an address, a name with a port, or several of them.
///
/// It is implemented for `SocketAddr` and its kind, `(IpAddr, u16)` and its kind, `&str` and `String`
/// like `"127.0.0.1:9000"`, `"[fe80::1%6]:9000"` or `"localhost:9000"`, and for slices, arrays and
/// vectors of these.
pub trait BindAddrs: Targets {}

impl<T: Targets> BindAddrs for T {}

mod sealed {
    /// What is behind [`BindAddrs`](super::BindAddrs).
    #[expect(unnameable_types, reason = "what seals a trait is not to be named")]
    pub trait Targets {
        #[doc(hidden)]
        fn targets(self) -> Vec<Target>;
    }

    #[derive(Clone, Debug)]
    #[expect(unnameable_types, reason = "what seals a trait is not to be named")]
    pub enum Target {
        Addr(std::net::SocketAddr),
        Name(String),
    }
}

pub(crate) use sealed::{Target, Targets};

impl Targets for SocketAddr {
    fn targets(self) -> Vec<Target> {
        vec![Target::Addr(self)]
    }
}

impl Targets for &str {
    fn targets(self) -> Vec<Target> {
        vec![self.parse().map_or_else(|_| Target::Name(self.to_owned()), Target::Addr)]
    }
}

impl Targets for (&str, u16) {
    fn targets(self) -> Vec<Target> {
        let (name, port) = self;
        match name.parse::<IpAddr>() {
            Ok(ip) => (ip, port).targets(),
            Err(_) => vec![Target::Name(format!("{name}:{port}"))],
        }
    }
}

impl Targets for String {
    fn targets(self) -> Vec<Target> {
        self.as_str().targets()
    }
}

macro_rules! socket_addr_targets {
    ($($addr:ty),+) => {
        $(impl Targets for $addr {
            fn targets(self) -> Vec<Target> {
                SocketAddr::from(self).targets()
            }
        })+
    };
}

socket_addr_targets!(SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl<T: Targets + Clone> Targets for &[T] {
    fn targets(self) -> Vec<Target> {
        self.iter().cloned().flat_map(Targets::targets).collect()
    }
}

impl<T: Targets + Clone> Targets for &Vec<T> {
    fn targets(self) -> Vec<Target> {
        self.as_slice().targets()
    }
}

impl<T: Targets, const N: usize> Targets for [T; N] {
    fn targets(self) -> Vec<Target> {
        self.into_iter().flat_map(Targets::targets).collect()
    }
}

impl<T: Targets> Targets for Vec<T> {
    fn targets(self) -> Vec<Target> {
        self.into_iter().flat_map(Targets::targets).collect()
    }
}
