//! Servers on a socket of the user's.

use std::{
    io::{self, ErrorKind},
    net::UdpSocket,
};

use datagrammar::{BoundSocket, Text, UdpServer};
use socket2::{Domain, SockRef, Socket, Type};

use super::{is_free, peer_at};
use crate::support::Running;

fn serve_on(socket: impl Into<BoundSocket>) -> io::Result<UdpServer> {
    UdpServer::builder(Text, async |text: String| text).socket(socket)
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
