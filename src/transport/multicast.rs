//! Multicast groups: which sockets can receive from them, and how to join them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

#[cfg(any(windows, target_os = "freebsd", target_os = "linux", target_vendor = "apple"))]
use socket2::InterfaceIndexOrAddress;
use socket2::SockRef;

use super::{SocketRef, resolve::interface_index};

/// A network interface of this host, on which a server joins a multicast group.
///
/// It can be parsed from a name, an index or an IPv4 address, as `ip address` prints them. A name becomes the
/// index of the interface that has this name at that moment.
///
/// # Examples
///
/// ```
/// use datagrammar::Interface;
/// use std::net::Ipv4Addr;
///
/// # fn main() -> std::io::Result<()> {
/// # #[cfg(target_os = "linux")]
/// assert!(matches!("lo".parse()?, Interface::Index(_)));
/// assert_eq!("127.0.0.1".parse::<Interface>()?, Interface::Addr(Ipv4Addr::LOCALHOST));
///
/// let error = "eth999".parse::<Interface>().unwrap_err();
/// assert_eq!(error.to_string(), r#"this host has no interface "eth999""#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interface {
    /// The interface that the kernel chooses by its routes.
    #[default]
    Any,
    /// The interface with this index, which `ip link` prints. For groups of IPv4 and IPv6.
    Index(u32),
    /// The interface that has this address. For groups of IPv4 only.
    Addr(Ipv4Addr),
}

impl FromStr for Interface {
    type Err = io::Error;

    /// Fails with [`NotFound`](io::ErrorKind::NotFound) if this host has no interface of that name.
    fn from_str(text: &str) -> io::Result<Self> {
        if let Ok(addr) = text.parse() {
            return Ok(Self::Addr(addr));
        }
        let index = text.parse().ok().or_else(|| interface_index(text));
        index.map(Self::Index).ok_or_else(|| {
            let text = format!("this host has no interface {text:?}");
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }
}

impl From<u32> for Interface {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

impl From<Ipv4Addr> for Interface {
    fn from(addr: Ipv4Addr) -> Self {
        Self::Addr(addr)
    }
}

/// Returns the problem if `group` is not a multicast group, or if its family does not accept this form of
/// `interface`.
pub(crate) fn check(group: IpAddr, interface: Interface) -> Result<(), String> {
    if !group.is_multicast() {
        return Err(format!("{group} is not a multicast address"));
    }
    if group.is_ipv6() && matches!(interface, Interface::Addr(_)) {
        return Err(format!("the interface of {group} is an address, IPv6 takes an index"));
    }
    Ok(())
}

/// What to do with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    Join,
    Leave,
}

impl Membership {
    /// Makes `socket` join or leave `group`.
    pub(crate) fn change(
        self,
        socket: &SocketRef<'_>,
        group: IpAddr,
        interface: Interface,
    ) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let group = match group {
            IpAddr::V4(group) => group,
            IpAddr::V6(group) => {
                let index = if let Interface::Index(index) = interface { index } else { 0 };
                return match self {
                    Self::Join => socket.join_multicast_v6(&group, index),
                    Self::Leave => socket.leave_multicast_v6(&group, index),
                };
            }
        };
        let addr = match interface {
            Interface::Any => Ipv4Addr::UNSPECIFIED,
            Interface::Addr(addr) => addr,
            Interface::Index(index) => return self.by_index(&socket, group, index),
        };
        match self {
            Self::Join => socket.join_multicast_v4(&group, &addr),
            Self::Leave => socket.leave_multicast_v4(&group, &addr),
        }
    }

    #[cfg(any(windows, target_os = "freebsd", target_os = "linux", target_vendor = "apple"))]
    fn by_index(self, socket: &SockRef<'_>, group: Ipv4Addr, index: u32) -> io::Result<()> {
        let interface = InterfaceIndexOrAddress::Index(index);
        match self {
            Self::Join => socket.join_multicast_v4_n(&group, &interface),
            Self::Leave => socket.leave_multicast_v4_n(&group, &interface),
        }
    }

    #[cfg(not(any(windows, target_os = "freebsd", target_os = "linux", target_vendor = "apple")))]
    fn by_index(self, _: &SockRef<'_>, _: Ipv4Addr, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether `socket` can receive datagrams that are sent to `group`: most systems compare the group with the
/// address that the socket is bound to.
pub(crate) fn hears(socket: &SocketRef<'_>, group: IpAddr) -> bool {
    let socket = SockRef::from(socket);
    let Some(local) = socket.local_addr().ok().and_then(|addr| addr.as_socket()) else {
        return false;
    };
    let family = match group {
        IpAddr::V6(_) => local.is_ipv6(),
        IpAddr::V4(_) => local.is_ipv4() || !socket.only_v6().unwrap_or(true),
    };
    family && (cfg!(windows) || local.ip().is_unspecified() || local.ip().to_canonical() == group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_multicast_group_with_an_interface_for_its_family_is_accepted() {
        let check = |group: &str, interface| check(group.parse().unwrap(), interface);

        for (group, interface) in [
            ("192.0.2.7", Interface::Any),
            ("2001:db8::1", Interface::Index(1)),
            ("ff02::1234", Interface::Addr(Ipv4Addr::LOCALHOST)),
        ] {
            let error = check(group, interface).unwrap_err();
            assert!(error.contains(group), "{error}");
        }
        assert!(check("239.255.77.1", Ipv4Addr::LOCALHOST.into()).is_ok());
        assert!(check("239.255.77.1", 1.into()).is_ok());
        assert!(check("ff02::1234", 1.into()).is_ok());
    }
}
