//! The options of sockets: set on a new socket before it is bound, and on a caller's socket if requested.

mod families;

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

#[cfg(target_os = "linux")]
use families::only_own_groups;
use families::{Families, mark_v4, mark_v6, tell_traffic_class};
use socket2::Socket;

use super::{Filter, Interface, multicast};
use crate::{Ecn, OptionError};

/// The requested options of a socket; `None` if the caller has not set the option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) recv_buffer_size: Option<usize>,
    pub(crate) send_buffer_size: Option<usize>,
    pub(crate) ttl: Option<u8>,
    pub(crate) dscp: Option<u8>,
    pub(crate) ecn: Option<Ecn>,
    /// Whether the kernel reports the traffic class of received datagrams.
    pub(crate) recv_traffic_class: Option<bool>,
    pub(crate) broadcast: Option<bool>,
    /// Whether `[::]` does not serve IPv4. `None`: it does not if an IPv4 address with its port is bound too.
    pub(crate) ipv6_only: Option<bool>,
    pub(crate) bind_device: Option<String>,
    pub(crate) multicast: Vec<(IpAddr, Interface)>,
    /// Whether other sockets that set it too may bind the same address.
    pub(crate) reuse_port: Option<bool>,
    /// Whether one system call may receive or send many datagrams. `Some(false)`: use portable calls only.
    pub(crate) batch_io: Option<bool>,
    pub(crate) segmentation_offload: Option<bool>,
    /// The program of the kernel filter, of a server that has one.
    pub(crate) kernel_filter: Option<Filter>,
    /// Whether datagrams may begin with headers of proxies, which say from whom they come.
    pub(crate) has_proxies: bool,
}

/// The requested size of each buffer of a new socket, in bytes. The default buffers of most systems hold a
/// few hundred datagrams, and bursts are larger.
pub(crate) const BUFFER: usize = 4 << 20;

impl Options {
    /// Returns an error for options that no socket can have.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        if self.ttl == Some(0) {
            return Err(OptionError::invalid("ttl", "is 0, the range is 1 to 255"));
        }
        if let Some(dscp) = self.dscp.filter(|dscp| *dscp > 63) {
            let problem = format!("is {dscp}, the range is 0 to 63");
            return Err(OptionError::invalid("dscp", problem));
        }
        // Linux would truncate a longer name, and an empty name would mean every device.
        let device_len = self.bind_device.as_ref().map(String::len);
        if let Some(len) = device_len.filter(|len| !(1..=DEVICE_LEN).contains(len)) {
            let problem = format!("is a name of {len} bytes, the range is 1 to {DEVICE_LEN}");
            return Err(OptionError::invalid("bind_device", problem));
        }
        for (group, interface) in &self.multicast {
            multicast::check(*group, *interface).map_err(|problem| {
                OptionError::invalid("multicast", format!("cannot be set: {problem}"))
            })?;
        }
        Ok(())
    }

    /// The requested sizes of the receive buffer and the send buffer of a new socket, in bytes.
    pub(crate) fn buffers(&self) -> [usize; 2] {
        [self.recv_buffer_size, self.send_buffer_size].map(|asked| asked.unwrap_or(BUFFER))
    }

    /// Sets the options on a new `socket` with the family of `addr`, which is not bound yet. A `dual` IPv6
    /// socket also receives IPv4.
    pub(super) fn set(&self, socket: &Socket, addr: SocketAddr, dual: bool) -> io::Result<()> {
        set_buffers(socket, self.buffers().map(Some));
        #[cfg(target_os = "linux")]
        only_own_groups(socket, addr.is_ipv6());
        let families = Families { socket, ipv6: addr.is_ipv6(), dual };
        self.set_asked(&families)
    }

    /// Sets the requested options on a caller's bound `socket`, and no others.
    ///
    /// # Errors
    ///
    /// Also returns `InvalidInput` if a requested option has another value on the socket and can only be set
    /// before binding.
    pub(super) fn adopt(&self, socket: &Socket) -> io::Result<()> {
        let ipv6 = socket.local_addr()?.is_ipv6();
        let ipv6_only = ipv6 && socket.only_v6()?;
        if ipv6 {
            settled("ipv6_only", self.ipv6_only, ipv6_only)?;
        }
        settled("reuse_port", self.reuse_port, shares_port(socket)?)?;
        set_buffers(socket, [self.recv_buffer_size, self.send_buffer_size]);
        self.set_asked(&Families { socket, ipv6, dual: ipv6 && !ipv6_only })
    }

    fn set_asked(&self, families: &Families<'_>) -> io::Result<()> {
        if let Some(hops) = self.ttl {
            let unicast = [Socket::set_ttl_v4, Socket::set_unicast_hops_v6];
            families.set(unicast, hops.into()).map_err(refused("ttl"))?;
            let multicast = [Socket::set_multicast_ttl_v4, Socket::set_multicast_hops_v6];
            families.set(multicast, hops.into()).map_err(refused("ttl"))?;
        }
        if self.dscp.is_some() || self.ecn.is_some() {
            let set = families.set([mark_v4, mark_v6], (self.dscp, self.ecn));
            set.map_err(refused(if self.dscp.is_some() { "dscp" } else { "ecn" }))?;
        }
        if let Some(told) = self.recv_traffic_class {
            tell_traffic_class(families, told).map_err(refused("recv_traffic_class"))?;
        }
        if let Some(allowed) = self.broadcast {
            families.socket.set_broadcast(allowed).map_err(refused("broadcast"))?;
        }
        if let Some(device) = &self.bind_device {
            bind_device(families.socket, device).map_err(refused("bind_device"))?;
        }
        Ok(())
    }
}

/// Errors are ignored, because a buffer size is only a request: the kernel grants as much as its limits
/// allow.
pub(super) fn set_buffers(socket: &Socket, [recv, send]: [Option<usize>; 2]) {
    if let Some(bytes) = recv {
        let _ = socket.set_recv_buffer_size(bytes.min(MOST_BYTES));
    }
    if let Some(bytes) = send {
        let _ = socket.set_send_buffer_size(bytes.min(MOST_BYTES));
    }
}

/// Returns an error if a requested option has another value on a bound socket.
fn settled(option: &'static str, asked: Option<bool>, is: bool) -> io::Result<()> {
    if asked.is_none_or(|asked| asked == is) {
        return Ok(());
    }
    let problem = format!("is {is} on this socket, which is bound, and cannot be changed any more");
    Err(OptionError::invalid(option, problem).into())
}

/// The length of the longest name of a network interface on Linux, in bytes.
const DEVICE_LEN: usize = 15;

/// The largest size that fits into the `int` of the system call.
const MOST_BYTES: usize = i32::MAX as usize;

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
    socket.set_reuse_port(true).map_err(|error| refused("reuse_port")(error).into())
}

#[cfg(not(all(unix, not(any(target_os = "illumos", target_os = "solaris")))))]
pub(super) fn share_port(_: &Socket) -> io::Result<()> {
    Err(refused("reuse_port")(io::ErrorKind::Unsupported.into()).into())
}

#[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
fn shares_port(socket: &Socket) -> io::Result<bool> {
    socket.reuse_port()
}

#[cfg(not(all(unix, not(any(target_os = "illumos", target_os = "solaris")))))]
const fn shares_port(_: &Socket) -> io::Result<bool> {
    Ok(false)
}

/// Adds the name of the option to an error.
fn refused(option: &'static str) -> impl FnOnce(io::Error) -> OptionError {
    move |error| OptionError::refused(option, &error)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use socket2::SockRef;

    use super::*;
    use crate::transport::socket::{bind, connect};

    fn bound(addr: &str, options: &Options) -> UdpSocket {
        bind(addr.parse().unwrap(), false, options).unwrap()
    }

    #[test]
    fn invalid_options_are_refused_by_name() {
        let no_group = ("192.0.2.7".parse().unwrap(), Interface::Any);
        let refused = [
            ("ttl", Options { ttl: Some(0), ..Options::default() }),
            ("dscp", Options { dscp: Some(64), ..Options::default() }),
            ("bind_device", Options { bind_device: Some(String::new()), ..Options::default() }),
            ("bind_device", Options { bind_device: Some("a".repeat(16)), ..Options::default() }),
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
    fn dscp_and_ecn_share_a_byte() {
        for (dscp, ecn, byte) in [
            (Some(46), None, 0xb8),
            (None, Some(Ecn::Ect0), 0x02),
            (Some(46), Some(Ecn::Ect1), 0xb9),
        ] {
            let options = Options { dscp, ecn, ..Options::default() };

            let (v4, v6) = (bound("127.0.0.1:0", &options), bound("[::1]:0", &options));

            assert_eq!(SockRef::from(&v4).tos_v4().unwrap(), byte);
            assert_eq!(SockRef::from(&v6).tclass_v6().unwrap(), byte);
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
    fn the_ttl_applies_to_multicast_too() {
        let options = Options { ttl: Some(7), ..Options::default() };
        let local = "127.0.0.1:0".parse().unwrap();

        let socket = connect(Some(local), "239.255.77.1:9000".parse().unwrap(), &options).unwrap();

        assert_eq!((socket.multicast_ttl_v4().unwrap(), socket.ttl().unwrap()), (7, 7));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_is_bound_to_a_device_or_the_error_names_the_option() {
        let on =
            |device: &str| Options { bind_device: Some(device.to_owned()), ..Options::default() };

        let socket = bound("127.0.0.1:0", &on("lo"));
        let error = bind("127.0.0.1:0".parse().unwrap(), false, &on("no such")).unwrap_err();

        assert_eq!(SockRef::from(&socket).device().unwrap().unwrap(), b"lo");
        assert!(error.to_string().contains("`bind_device`"), "{error}");
    }

    // B-11
    #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
    #[test]
    fn a_port_is_shared_only_on_request() {
        let shared = Options { reuse_port: Some(true), ..Options::default() };

        let (own, shared) = (bound("127.0.0.1:0", &Options::default()), bound("[::1]:0", &shared));

        assert!(!SockRef::from(&own).reuse_port().unwrap());
        assert!(SockRef::from(&shared).reuse_port().unwrap());
    }

    fn users() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_ttl(3).unwrap();
        socket.set_broadcast(true).unwrap();
        SockRef::from(&socket).set_recv_buffer_size(10_000).unwrap();
        #[cfg(unix)]
        SockRef::from(&socket).set_tos_v4(0xb9).unwrap();
        socket
    }

    // B-13
    #[test]
    fn options_that_are_not_set_stay_on_a_callers_socket() {
        let socket = users();
        let before = SockRef::from(&socket).recv_buffer_size().unwrap();

        Options::default().adopt(&SockRef::from(&socket)).unwrap();

        assert_eq!((socket.ttl().unwrap(), socket.broadcast().unwrap()), (3, true));
        assert_eq!(SockRef::from(&socket).recv_buffer_size().unwrap(), before);
    }

    // B-13
    #[cfg(unix)]
    #[test]
    fn dscp_and_ecn_can_be_set_separately_on_a_callers_socket() {
        for (dscp, ecn, byte) in [
            (Some(8), None, 8 << 2 | 0b01),
            (None, Some(Ecn::NotEct), 46 << 2),
            (Some(8), Some(Ecn::Ect0), 8 << 2 | 0b10),
        ] {
            let socket = users();

            let options = Options { dscp, ecn, ..Options::default() };
            options.adopt(&SockRef::from(&socket)).unwrap();

            assert_eq!(SockRef::from(&socket).tos_v4().unwrap(), byte);
        }
    }

    // B-13
    #[cfg(target_os = "linux")]
    #[test]
    fn both_families_of_a_callers_socket_get_the_options() {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let options =
            Options { ttl: Some(7), recv_traffic_class: Some(true), ..Options::default() };

        options.adopt(&SockRef::from(&socket)).unwrap();

        let socket = SockRef::from(&socket);
        assert_eq!((socket.ttl_v4().unwrap(), socket.unicast_hops_v6().unwrap()), (7, 7));
        // With portable system calls, the traffic class is not read.
        let read = cfg!(not(datagrammar_portable));
        assert_eq!((socket.recv_tos_v4().unwrap(), socket.recv_tclass_v6().unwrap()), (read, read));
    }

    // B-11, B-13
    #[cfg(all(unix, not(any(target_os = "illumos", target_os = "solaris"))))]
    #[test]
    fn an_option_that_a_bound_socket_cannot_change_is_refused_by_name() {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        let adopt = |options: Options| options.adopt(&SockRef::from(&socket));
        let ipv6_only = SockRef::from(&socket).only_v6().unwrap();
        let shared = |shared| Options { reuse_port: Some(shared), ..Options::default() };
        let alone = |only| Options { ipv6_only: Some(only), ..Options::default() };

        let refused = [
            ("reuse_port", adopt(shared(true)).unwrap_err()),
            ("ipv6_only", adopt(alone(!ipv6_only)).unwrap_err()),
        ];

        for (name, error) in refused {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
        adopt(shared(false)).unwrap();
        adopt(alone(ipv6_only)).unwrap();
    }
}
