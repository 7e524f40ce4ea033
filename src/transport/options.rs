//! What is set on a new socket before it is bound, and what can be set on none.

use std::{io, net::SocketAddr};

use socket2::Socket;

use super::{multicast, socket::Options};
use crate::TrafficClass;

impl Options {
    /// Refuses what can be set on no socket.
    pub(crate) fn check(&self) -> io::Result<()> {
        let refused = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if self.ttl == Some(0) {
            return refused("the option `ttl` is 0 where 1 to 255 was expected".to_owned());
        }
        if let Some(dscp) = self.dscp.filter(|dscp| *dscp > 63) {
            return refused(format!("the option `dscp` is {dscp} where 0 to 63 was expected"));
        }
        // Linux would cut a longer name off, and take an empty one for any device.
        if self.device.as_ref().is_some_and(|name| !(1..=DEVICE_LEN).contains(&name.len())) {
            let text = "a name of 1 to 15 octets was expected for the option `device`";
            return refused(text.to_owned());
        }
        for (group, interface) in &self.multicast {
            multicast::check(*group, *interface).map_err(named("multicast"))?;
        }
        Ok(())
    }

    /// Sets them on a new `socket` of the family of `addr`, which is not bound yet. One of IPv6 that is
    /// `dual` takes IPv4 too.
    pub(super) fn set(&self, socket: &Socket, addr: SocketAddr, dual: bool) -> io::Result<()> {
        // Never more than a wish: the kernel gives what its own limits allow.
        let _ = socket.set_recv_buffer_size(self.recv_buffer.min(MOST_OCTETS));
        let _ = socket.set_send_buffer_size(self.send_buffer.min(MOST_OCTETS));
        #[cfg(target_os = "linux")]
        only_own_groups(socket, addr.is_ipv6());
        let families = Families { socket, ipv6: addr.is_ipv6(), dual };
        if let Some(hops) = self.ttl {
            let named = named("ttl");
            let unicast = [Socket::set_ttl_v4, Socket::set_unicast_hops_v6];
            families.set(unicast, hops.into()).map_err(&named)?;
            if addr.ip().is_multicast() {
                let multicast = [Socket::set_multicast_ttl_v4, Socket::set_multicast_hops_v6];
                families.set(multicast, hops.into()).map_err(&named)?;
            }
        }
        if self.dscp.is_some() || self.ecn.is_some() {
            let class =
                TrafficClass::new(self.dscp.unwrap_or_default(), self.ecn.unwrap_or_default());
            let set = families.set([Socket::set_tos_v4, set_traffic_class], u8::from(class).into());
            set.map_err(named(if self.dscp.is_some() { "dscp" } else { "ecn" }))?;
        }
        if self.recv_traffic_class {
            tell_traffic_class(&families).map_err(named("recv_traffic_class"))?;
        }
        if self.broadcast {
            socket.set_broadcast(true).map_err(named("broadcast"))?;
        }
        if let Some(device) = &self.device {
            bind_device(socket, device).map_err(named("device"))?;
        }
        Ok(())
    }
}

/// The longest name of a network interface on Linux.
const DEVICE_LEN: usize = 15;

/// More than this does not fit into the `int` that the kernel is given.
const MOST_OCTETS: usize = i32::MAX as usize;

/// A socket and the families whose datagrams it carries.
struct Families<'a> {
    socket: &'a Socket,
    ipv6: bool,
    dual: bool,
}

impl Families<'_> {
    /// Sets an option that IPv4 and IPv6 have each of their own.
    fn set<T: Copy>(
        &self,
        [ipv4, ipv6]: [fn(&Socket, T) -> io::Result<()>; 2],
        value: T,
    ) -> io::Result<()> {
        if !self.ipv6 {
            return ipv4(self.socket, value);
        }
        ipv6(self.socket, value)?;
        if self.dual {
            let set = ipv4(self.socket, value);
            // Not every other system has these options on a socket of IPv6.
            if cfg!(target_os = "linux") {
                set?;
            }
        }
        Ok(())
    }
}

/// Has `socket` hear the groups that it joins, and no others: by default Linux hands it whatever any
/// program on the host has joined. Kernels before 4.20 do not know of it for IPv6.
#[cfg(target_os = "linux")]
fn only_own_groups(socket: &Socket, ipv6: bool) {
    let _ = socket.set_multicast_all_v4(false);
    if ipv6 {
        let _ = socket.set_multicast_all_v6(false);
    }
}

#[cfg(unix)]
fn set_traffic_class(socket: &Socket, class: u32) -> io::Result<()> {
    socket.set_tclass_v6(class)
}

#[cfg(not(unix))]
fn set_traffic_class(_: &Socket, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Has the kernel tell beside each datagram how it is marked, where somebody listens.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
fn tell_traffic_class(families: &Families<'_>) -> io::Result<()> {
    families.set([Socket::set_recv_tos_v4, Socket::set_recv_tclass_v6], true)
}

#[cfg(not(all(target_os = "linux", not(datagrammar_portable))))]
const fn tell_traffic_class(_: &Families<'_>) -> io::Result<()> {
    Ok(())
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn bind_device(socket: &Socket, device: &str) -> io::Result<()> {
    socket.bind_device(Some(device.as_bytes()))
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn bind_device(_: &Socket, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
pub(super) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true).map_err(named("reuse_port"))
}

#[cfg(not(all(unix, not(any(target_os = "illumos", target_os = "solaris")))))]
pub(super) fn share_port(_: &Socket) -> io::Result<()> {
    Err(named("reuse_port")(io::ErrorKind::Unsupported.into()))
}

/// Has an error say which option it is about.
fn named(option: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("the option `{option}`: {error}"))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use socket2::SockRef;

    use super::*;
    use crate::{
        Ecn,
        transport::{
            Interface,
            socket::{bind, connect},
        },
    };

    fn bound(addr: &str, options: &Options) -> UdpSocket {
        bind(addr.parse().unwrap(), false, options).unwrap()
    }

    #[test]
    fn what_no_socket_can_be_given_is_refused_by_name() {
        let no_group = ("192.0.2.7".parse().unwrap(), Interface::Any);
        let refused = [
            ("ttl", Options { ttl: Some(0), ..Options::default() }),
            ("dscp", Options { dscp: Some(64), ..Options::default() }),
            ("device", Options { device: Some(String::new()), ..Options::default() }),
            ("device", Options { device: Some("a".repeat(16)), ..Options::default() }),
            ("multicast", Options { multicast: vec![no_group], ..Options::default() }),
        ];

        for (name, options) in refused {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
        let highest = Options { ttl: Some(255), dscp: Some(63), ..Options::default() };
        assert!(highest.check().is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn urgency_and_what_is_told_of_congestion_share_an_octet() {
        for (dscp, ecn, octet) in [
            (Some(46), None, 0xb8),
            (None, Some(Ecn::Ect0), 0x02),
            (Some(46), Some(Ecn::Ect1), 0xb9),
        ] {
            let options = Options { dscp, ecn, ..Options::default() };

            let (v4, v6) = (bound("127.0.0.1:0", &options), bound("[::1]:0", &options));

            assert_eq!(SockRef::from(&v4).tos_v4().unwrap(), octet);
            assert_eq!(SockRef::from(&v6).tclass_v6().unwrap(), octet);
        }
    }

    // B-7
    #[cfg(target_os = "linux")]
    #[test]
    fn the_ipv4_peers_of_a_dual_stack_socket_have_the_same_options() {
        let options = Options { ttl: Some(7), dscp: Some(46), ..Options::default() };

        let any = bound("[::]:0", &options);

        let any = SockRef::from(&any);
        assert_eq!((any.ttl_v4().unwrap(), any.unicast_hops_v6().unwrap()), (7, 7));
        assert_eq!((any.tos_v4().unwrap(), any.tclass_v6().unwrap()), (46 << 2, 46 << 2));
    }

    #[test]
    fn a_multicast_peer_is_reached_over_as_many_routers_as_any_other() {
        let options = Options { ttl: Some(7), ..Options::default() };
        let local = "127.0.0.1:0".parse().unwrap();

        let socket = connect(Some(local), "239.255.77.1:9000".parse().unwrap(), &options).unwrap();

        assert_eq!((socket.multicast_ttl_v4().unwrap(), socket.ttl().unwrap()), (7, 7));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_is_bound_to_a_device_or_the_error_names_the_option() {
        let on = |device: &str| Options { device: Some(device.to_owned()), ..Options::default() };

        let socket = bound("127.0.0.1:0", &on("lo"));
        let error = bind("127.0.0.1:0".parse().unwrap(), false, &on("no such")).unwrap_err();

        assert_eq!(SockRef::from(&socket).device().unwrap().unwrap(), b"lo");
        assert!(error.to_string().contains("`device`"), "{error}");
    }

    // B-11
    #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
    #[test]
    fn a_port_is_shared_only_if_that_was_asked_for() {
        let shared = Options { reuse_port: true, ..Options::default() };

        let (own, shared) = (bound("127.0.0.1:0", &Options::default()), bound("[::1]:0", &shared));

        assert!(!SockRef::from(&own).reuse_port().unwrap());
        assert!(SockRef::from(&shared).reuse_port().unwrap());
    }
}
