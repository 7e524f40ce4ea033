//! Servers on a socket of the user's.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, UdpSocket},
};

use datagrammar::{BoundSocket, Interface, Server, ServerBuilder, Text};
use socket2::{Domain, SockRef, Socket, Type};

use super::{is_free, peer_at};
use crate::{
    log::Log,
    support::{Net, Running},
};

fn builder() -> ServerBuilder<Text, impl datagrammar::Handler<String, String>> {
    Server::builder(Text, async |text: String| text)
}

fn serve_on(socket: impl Into<BoundSocket>) -> io::Result<Server> {
    builder().socket(socket)
}

// B-13
#[tokio::test]
async fn the_options_of_a_users_socket_stay() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_ttl(7).unwrap();
    socket.set_multicast_loop_v4(false).unwrap();
    socket.set_multicast_ttl_v4(3).unwrap();
    SockRef::from(&socket).set_recv_buffer_size(10_000).unwrap();
    SockRef::from(&socket).set_send_buffer_size(20_000).unwrap();
    let options = |socket: &UdpSocket| {
        let buffers = SockRef::from(socket);
        (
            (socket.broadcast().unwrap(), socket.ttl().unwrap()),
            (socket.multicast_loop_v4().unwrap(), socket.multicast_ttl_v4().unwrap()),
            (buffers.recv_buffer_size().unwrap(), buffers.send_buffer_size().unwrap()),
            buffers.reuse_address().unwrap(),
        )
    };
    let before = options(&socket);
    let same = socket.try_clone().unwrap();

    let server = Running::start(serve_on(socket).unwrap()).await;

    assert_eq!(options(&same), before);
    server.stop().await;
}

// B-13
#[tokio::test]
async fn what_is_asked_for_is_set_on_a_users_socket() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();

    let builder = builder().ttl(7).recv_buffer_size(10_000).send_buffer_size(20_000);
    let server = builder.socket(socket).unwrap();

    let socket = server.sockets().next().unwrap();
    let socket = SockRef::from(&socket);
    assert_eq!((socket.ttl_v4().unwrap(), socket.broadcast().unwrap()), (7, true));
    let diagnostics = server.handle().diagnostics();
    let address = &diagnostics.sockets()[0];
    let buffers = [address.recv_buffer().unwrap(), address.send_buffer().unwrap()];
    assert_eq!(buffers.map(|buffer| buffer.requested()), [Some(10_000), Some(20_000)]);
    #[cfg(target_os = "linux")]
    assert_eq!(buffers.map(|buffer| buffer.granted()), [10_000, 20_000]);
}

// B-13
#[tokio::test]
async fn a_buffer_that_is_short_of_what_was_asked_for_is_told_for_a_users_socket_too() {
    let log = Log::capture();
    let told = || log.all().iter().filter(|told| told.fields.contains_key("buffers")).count();
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();

    let unasked = builder().socket(socket()).unwrap();
    assert_eq!(told(), 0);
    let asked = builder().recv_buffer_size(usize::MAX).socket(socket()).unwrap();

    assert_eq!(told(), 1);
    drop((unasked, asked));
}

// B-11, B-13
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_bound_socket_cannot_be_asked_for_any_more_is_refused_by_name() {
    let socket = || UdpSocket::bind("[::]:0").unwrap();
    let refused = [
        ("reuse_port", builder().reuse_port(true).socket(socket())),
        ("ipv6_only", builder().ipv6_only(true).socket(socket())),
        ("bind_device", builder().bind_device("no such").socket(socket())),
        ("workers", builder().workers(2).socket(socket())),
    ];

    for (name, server) in refused {
        let error = server.unwrap_err();
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
}

// B-13
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_users_socket_joins_the_groups_that_were_asked_for() {
    let group = Ipv4Addr::new(239, 255, 77, 20);
    let loopback = Interface::Addr(Ipv4Addr::LOCALHOST);
    let socket = || UdpSocket::bind("0.0.0.0:0").unwrap();

    let server = builder().multicast(group, loopback).socket(socket()).unwrap();
    let nowhere = builder().multicast(group, Interface::Index(u32::MAX)).socket(socket());

    assert_eq!(server.join_multicast(group, loopback).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(nowhere.is_err());
}

// B-13
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn trains_are_received_on_a_users_socket_as_it_has_it_unless_somebody_asks() {
    use datagrammar::Offload;

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let received = |asked: Option<bool>| {
        let builder = match asked {
            Some(offload) => builder().segmentation_offload(offload),
            None => builder(),
        };
        let server = builder.socket(socket.try_clone().unwrap()).unwrap();
        server.handle().diagnostics().sockets()[0].recv_offload()
    };

    assert_eq!(received(None), Offload::CallerSocket);
    assert_eq!(received(Some(true)), Offload::On);
    assert_eq!(received(None), Offload::On);
    assert_eq!(received(Some(false)), Offload::Disabled);
    assert_eq!(received(None), Offload::CallerSocket);
}

// B-13
#[tokio::test(start_paused = true)]
async fn a_network_in_memory_takes_any_options_as_it_has_none() {
    let builder = builder().ttl(7).recv_buffer_size(10_000).reuse_port(true).broadcast(true);

    assert!(builder.socket(Net::memory().socket()).is_ok());
}

// B-13
#[tokio::test]
async fn a_users_socket_is_served_though_it_was_blocking() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (addr, same) = (socket.local_addr().unwrap(), socket.try_clone().unwrap());

    let server = Running::start(serve_on(socket).unwrap()).await;

    assert_eq!(same.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(peer_at(addr).await.ask("hello").await, "hello");
    server.stop().await;
}

// B-13
#[tokio::test]
async fn a_socket_that_is_not_bound_is_refused() {
    let socket: UdpSocket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap().into();

    let error = serve_on(socket).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

// B-13
#[cfg(unix)]
#[tokio::test]
async fn a_socket_that_is_not_a_datagram_socket_of_ip_is_refused_and_closed() {
    use std::{net::TcpListener, os::fd::OwnedFd, os::unix::net::UnixDatagram};

    let stream = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = stream.local_addr().unwrap();
    let local = UnixDatagram::unbound().unwrap();

    let refused = [OwnedFd::from(stream), local.into()].map(|fd| serve_on(UdpSocket::from(fd)));

    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(TcpListener::bind(addr).is_ok());
}

// B-13
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_users_socket_belongs_to_the_server() {
    let socket = UdpSocket::bind("127.0.0.24:0").unwrap();
    let addr = socket.local_addr().unwrap();

    let server = serve_on(socket).unwrap();

    assert!(!is_free(addr));
    drop(server);
    assert!(is_free(addr));
}
