//! Sockets of the operating system: created here, or taken over from the caller.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

pub(crate) use super::options::Options;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use super::{Filter, Linux, linux::Merging};
use super::{Transport, Udp, WorkerIndex, options::share_port};
use crate::AddrError;

/// Takes over a bound socket of the caller's, and sets the `options` on it.
pub(crate) fn adopt(socket: UdpSocket, options: &Options) -> io::Result<Box<dyn Transport>> {
    if check(&socket)?.port() == 0 {
        let text = "the socket is not bound";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    prepare(&socket, options)?;
    transport(socket, WorkerIndex::ALONE, options, false)
}

/// Takes over a bound socket from another process, which may still read it, at `place` on its address. So no option of the
/// socket changes. If it merges datagrams, some may be merged already, so it is read in batches.
#[cfg(unix)]
pub(crate) fn take_over(
    socket: UdpSocket,
    place: WorkerIndex,
    batch_io: Option<bool>,
) -> io::Result<Box<dyn Transport>> {
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    let batch_io = batch_io.filter(|_| !super::linux::merges(&socket));
    check(&socket)?;
    let options = Options { batch_io, ..Options::default() };
    transport(socket, place, &options, false)
}

/// Does the same as [`adopt`], for a connected socket; also returns its peer.
pub(crate) fn adopt_connected(
    socket: UdpSocket,
    options: &Options,
) -> io::Result<(SocketAddr, Arc<tokio::net::UdpSocket>, Box<dyn Transport>)> {
    let peer = prepare_connected(&socket, options)?;
    let (socket, transport) = connected(socket, options, false)?;
    Ok((peer, socket, transport))
}

/// Checks a connected socket of the caller's, sets the `options` on it, and returns its peer.
pub(crate) fn prepare_connected(socket: &UdpSocket, options: &Options) -> io::Result<SocketAddr> {
    check(socket)?;
    let peer = socket.peer_addr()?;
    prepare(socket, options)?;
    Ok(peer)
}

/// Whether the kernel merges datagrams that `socket` receives (GRO).
#[cfg(feature = "blocking")]
pub(crate) fn merges(socket: &UdpSocket) -> bool {
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    return super::linux::merges(socket);
    #[cfg(any(not(target_os = "linux"), datagrammar_portable))]
    return {
        let _ = socket;
        false
    };
}

fn prepare(socket: &UdpSocket, options: &Options) -> io::Result<()> {
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    if options.batch_io == Some(false) && super::linux::merges(socket) {
        let problem = "is false, but the socket has `UDP_GRO` on, which needs batches";
        return Err(crate::OptionError::invalid("batch_io", problem).into());
    }
    socket.set_nonblocking(true)?;
    options.adopt(&SockRef::from(socket))
}

/// Creates a non-blocking socket for the family of `addr`, with `options`.
fn open(addr: SocketAddr, dual: bool, options: &Options) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    options.set(&socket, addr, dual)?;
    Ok(socket)
}

/// Returns the fastest transport for a bound non-blocking socket, which is at `place` on its address. Only a
/// socket of our `own`, not one of the user's, may get options in addition.
pub(crate) fn transport(
    socket: UdpSocket,
    place: WorkerIndex,
    options: &Options,
    own: bool,
) -> io::Result<Box<dyn Transport>> {
    driven(Udp::new(socket)?, place, options, own)
}

/// Does the same as [`transport`], for a connected socket. Also returns the socket, so that the client can
/// wait for it.
pub(crate) fn connected(
    socket: UdpSocket,
    options: &Options,
    own: bool,
) -> io::Result<(Arc<tokio::net::UdpSocket>, Box<dyn Transport>)> {
    let udp = Udp::connected(socket)?;
    Ok((Arc::clone(&udp.socket), driven(udp, WorkerIndex::ALONE, options, own)?))
}

#[cfg_attr(
    any(not(target_os = "linux"), datagrammar_portable),
    expect(unused_variables, reason = "there is one way only")
)]
fn driven(
    udp: Udp,
    place: WorkerIndex,
    options: &Options,
    own: bool,
) -> io::Result<Box<dyn Transport>> {
    let socket = Arc::clone(&udp.socket);
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    let transport: Box<dyn Transport> = if options.batch_io == Some(false) {
        Box::new(udp)
    } else {
        let is_filtered = options.kernel_filter.as_ref().is_some_and(Filter::drops);
        let is_spread_by_header = options.has_proxies && place.of > 1;
        let merging =
            Merging { asked: options.segmentation_offload, is_filtered, is_spread_by_header };
        Box::new(Linux::new(udp, place, own, merging))
    };
    #[cfg(any(not(target_os = "linux"), datagrammar_portable))]
    let transport = Box::new(udp);
    // After the kernel has stopped to merge datagrams.
    if let Some(filter) = &options.kernel_filter {
        filter.attach(&SockRef::from(&*socket))?;
    }
    Ok(transport)
}

/// Creates a non-blocking socket that is bound to `addr`. On `[::]` it receives IPv4 too, unless `ipv6_only`
/// is set.
pub(crate) fn bind(addr: SocketAddr, ipv6_only: bool, options: &Options) -> io::Result<UdpSocket> {
    let socket = open(addr, !ipv6_only, options)?;
    bind_opened(&socket, addr, ipv6_only, options)?;
    Ok(socket.into())
}

fn bind_opened(
    socket: &Socket,
    addr: SocketAddr,
    ipv6_only: bool,
    options: &Options,
) -> io::Result<()> {
    if addr.is_ipv6() {
        socket.set_only_v6(ipv6_only)?;
    }
    // If port sharing is set before the bind, Linux may answer port 0 with a port that another socket shares.
    // So for port 0 it is set after the bind.
    let early = cfg!(not(target_os = "linux")) || addr.port() != 0;
    let shared = options.reuse_port == Some(true);
    if shared && early {
        share_port(socket)?;
    }
    socket.bind(&addr.into())?;
    if shared && !early {
        share_port(socket)?;
    }
    Ok(())
}

/// Creates `count` sockets with [`bind`] that share `addr` and its port. The kernel delivers all datagrams of
/// a peer to the same one of them.
///
/// The last socket in the returned list has the first place in the kernel's list. When a socket is closed,
/// the kernel moves the socket in the last place to the free place. So if the sockets are closed in the order
/// of the returned list, the sockets of another server on that address keep their order. The kernel also
/// closes them in that order, because it begins with the lowest descriptor.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(crate) fn bind_several(
    mut addr: SocketAddr,
    ipv6_only: bool,
    options: &Options,
    count: usize,
) -> io::Result<Vec<(UdpSocket, WorkerIndex)>> {
    let of = count.try_into().map_err(io::Error::other)?;
    let options = Options { reuse_port: Some(true), ..options.clone() };
    let open = |_| open(addr, !ipv6_only, &options);
    let sockets = (0..of).map(open).collect::<io::Result<Vec<_>>>()?;
    for socket in sockets.iter().rev() {
        bind_opened(socket, addr, ipv6_only, &options)?;
        if let Some(bound) = socket.local_addr()?.as_socket() {
            addr.set_port(bound.port());
        }
    }
    super::linux::spread(&sockets[0], of, options.has_proxies)?;
    let place = |(socket, number): (Socket, u32)| (socket.into(), WorkerIndex { number, of });
    Ok(sockets.into_iter().zip((0..of).rev()).map(place).collect())
}

/// Creates `count` sockets that share `addr`, on systems that cannot spread peers over several sockets.
#[cfg(any(not(target_os = "linux"), datagrammar_portable))]
pub(crate) fn bind_several(
    _addr: SocketAddr,
    _ipv6_only: bool,
    _options: &Options,
    _count: usize,
) -> io::Result<Vec<(UdpSocket, WorkerIndex)>> {
    let text = "this system cannot spread peers over several workers";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

/// Creates a non-blocking socket that is connected to `peer`, which must be of the same family as `local`.
///
/// # Errors
///
/// Each error names the address that caused it.
pub(crate) fn connect(
    local: Option<SocketAddr>,
    peer: SocketAddr,
    options: &Options,
) -> Result<UdpSocket, AddrError> {
    let failed = |what| move |error| AddrError::caused(what, error);
    let failed_to_connect = || failed(format!("cannot connect to {peer}"));
    let socket = open(peer, false, options).map_err(failed_to_connect())?;
    if let Some(local) = local {
        if options.reuse_port == Some(true) {
            share_port(&socket).map_err(failed_to_connect())?;
        }
        socket.bind(&local.into()).map_err(failed(format!("cannot bind {local}")))?;
    }
    socket.connect(&peer.into()).map_err(failed_to_connect())?;
    Ok(socket.into())
}

/// Whether the host has no addresses of the family of `addr`. `error` is the reason why `addr` could not be
/// bound.
pub(crate) fn lacks_family(addr: SocketAddr, error: &io::Error) -> bool {
    #[cfg(unix)]
    const FAMILY: i32 = libc::EAFNOSUPPORT;
    #[cfg(windows)]
    const FAMILY: i32 = 10_047;

    // The host may have addresses of that family, just not this one. Then it has a route to `addr`. Looking
    // up the route sends nothing.
    let no_way = |socket: Socket| socket.connect(&addr.into()).is_err();
    error.raw_os_error() == Some(FAMILY)
        || error.kind() == io::ErrorKind::AddrNotAvailable
            && Socket::new(Domain::for_address(addr), Type::DGRAM, None).is_ok_and(no_way)
}

/// Returns the address of `socket`. Fails if it is not an IP datagram socket.
pub(crate) fn check(socket: &UdpSocket) -> io::Result<SocketAddr> {
    let refused = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    if SockRef::from(socket).r#type()? != Type::DGRAM {
        return Err(refused("the socket is not a datagram socket"));
    }
    socket.local_addr().map_err(|_| refused("the socket is neither of IPv4 nor of IPv6"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // B-6
    #[test]
    fn a_family_is_missing_when_the_kernel_says_so() {
        let loopback = "[::1]:9".parse().unwrap();

        #[cfg(unix)]
        assert!(lacks_family(loopback, &io::Error::from_raw_os_error(libc::EAFNOSUPPORT)));
        assert!(!lacks_family(loopback, &io::ErrorKind::AddrInUse.into()));
        assert!(!lacks_family(loopback, &io::ErrorKind::PermissionDenied.into()));
    }

    // B-4, B-6
    #[cfg(target_os = "linux")]
    #[test]
    fn a_family_is_not_missing_when_there_is_a_route_to_its_addresses() {
        let [here, nowhere] =
            ["127.0.0.1:9", "127.255.255.255:9"].map(|addr| addr.parse().unwrap());

        assert!(!lacks_family(here, &io::ErrorKind::AddrNotAvailable.into()));
        // Without permission to broadcast, the kernel finds no route.
        assert!(lacks_family(nowhere, &io::ErrorKind::AddrNotAvailable.into()));
    }

    // B-10
    #[test]
    fn a_new_socket_does_not_share_its_address() {
        let socket = bind("127.0.0.1:0".parse().unwrap(), false, &Options::default()).unwrap();

        assert!(!SockRef::from(&socket).reuse_address().unwrap());
    }

    // B-7
    #[test]
    fn a_new_socket_sets_explicitly_whether_it_is_for_ipv6_only() {
        let any = "[::]:0".parse().unwrap();

        for ipv6_only in [false, true] {
            let socket = bind(any, ipv6_only, &Options::default()).unwrap();
            assert_eq!(SockRef::from(&socket).only_v6().unwrap(), ipv6_only);
        }
    }

    #[test]
    fn the_requested_options_are_set() {
        let options = Options { ttl: Some(7), broadcast: Some(true), ..Options::default() };
        let peer = |text: &str| text.parse().unwrap();

        let v4 = connect(None, peer("127.0.0.1:9"), &options).unwrap();
        let v6 = connect(None, peer("[::1]:9"), &options).unwrap();

        assert_eq!((v4.ttl().unwrap(), v4.broadcast().unwrap()), (7, true));
        assert_eq!(SockRef::from(&v6).unicast_hops_v6().unwrap(), 7);
    }
}
