//! The forms of an address that a caller can pass.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// One address or several addresses, in one of many forms. Servers are bound to them, and clients connect to
/// them or send from them. This also applies to a network in memory.
///
/// It is implemented for
///
/// - `&str` and `String`: `"127.0.0.1:9000"`, `"[::1]:9000"`, `"localhost:9000"`;
/// - `(&str, u16)` and `(String, u16)`: a name or an address, and a port;
/// - [`Addr`](crate::Addr), `SocketAddr`, `SocketAddrV4` and `SocketAddrV6`;
/// - `(IpAddr, u16)`, `(Ipv4Addr, u16)` and `(Ipv6Addr, u16)`;
/// - slices, arrays and vectors of these, and references to them.
///
/// Names are resolved with the system's resolver, and only when the address is used.
///
/// A link-local address may contain the name or the index of an interface: `"[fe80::1%eth0]:9000"`,
/// `"[fe80::1%6]:9000"`. You cannot implement this trait for your own types.
///
/// # Examples
///
/// ```
/// use datagrammar::{BindError, Server, Text, ToAddrs, Udp};
/// use std::net::Ipv4Addr;
///
/// async fn serve(addrs: impl ToAddrs) -> Result<usize, BindError> {
///     let server = Server::bind(Udp::new(addrs), Text, async |text: String| text).await?;
///     Ok(server.handle().local_addrs().len())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// assert_eq!(serve("127.0.0.1:0").await?, 1);
/// assert_eq!(serve((Ipv4Addr::LOCALHOST, 0)).await?, 1);
/// assert_eq!(serve(["127.0.0.1:0", "127.0.0.2:0"]).await?, 2);
/// # Ok(())
/// # }
/// ```
pub trait ToAddrs: Targets {}

impl<T: Targets + ?Sized> ToAddrs for T {}

mod sealed {
    /// The supertrait that seals [`ToAddrs`](super::ToAddrs).
    #[expect(unnameable_types, reason = "the types that seal a trait are not to be named")]
    pub trait Targets {
        #[doc(hidden)]
        fn targets(&self) -> Vec<Target>;

        /// This as an `Addr`, which may be the address of a Unix socket.
        #[doc(hidden)]
        fn as_addr(&self) -> Option<&crate::Addr> {
            None
        }
    }

    #[derive(Clone, Debug)]
    #[expect(unnameable_types, reason = "the types that seal a trait are not to be named")]
    pub enum Target {
        Addr(std::net::SocketAddr),
        /// An address or a name, followed by a port.
        Text(String),
        /// An IP address or a name, and a port.
        Host(String, u16),
    }
}

pub(crate) use sealed::{Target, Targets};

impl<T: Targets + ?Sized> Targets for &T {
    fn targets(&self) -> Vec<Target> {
        (**self).targets()
    }

    fn as_addr(&self) -> Option<&crate::Addr> {
        (**self).as_addr()
    }
}

impl Targets for SocketAddr {
    fn targets(&self) -> Vec<Target> {
        vec![Target::Addr(*self)]
    }
}

impl Targets for crate::Addr {
    fn targets(&self) -> Vec<Target> {
        // The name of a Unix socket is an error where IP addresses are expected.
        vec![self.socket_addr().map_or_else(|| Target::Text(self.to_string()), Target::Addr)]
    }

    fn as_addr(&self) -> Option<&crate::Addr> {
        Some(self)
    }
}

impl Targets for str {
    fn targets(&self) -> Vec<Target> {
        vec![Target::Text(self.to_owned())]
    }
}

impl Targets for String {
    fn targets(&self) -> Vec<Target> {
        self.as_str().targets()
    }
}

impl Targets for (&str, u16) {
    fn targets(&self) -> Vec<Target> {
        vec![Target::Host(self.0.to_owned(), self.1)]
    }
}

impl Targets for (String, u16) {
    fn targets(&self) -> Vec<Target> {
        (self.0.as_str(), self.1).targets()
    }
}

macro_rules! socket_addr_targets {
    ($($addr:ty),+) => {
        $(impl Targets for $addr {
            fn targets(&self) -> Vec<Target> {
                SocketAddr::from(*self).targets()
            }
        })+
    };
}

socket_addr_targets!(SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl<T: Targets> Targets for [T] {
    fn targets(&self) -> Vec<Target> {
        self.iter().flat_map(Targets::targets).collect()
    }
}

impl<T: Targets> Targets for Vec<T> {
    fn targets(&self) -> Vec<Target> {
        self.as_slice().targets()
    }
}

impl<T: Targets, const N: usize> Targets for [T; N] {
    fn targets(&self) -> Vec<Target> {
        self.as_slice().targets()
    }
}
