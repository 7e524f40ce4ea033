//! Binding and addresses: section B.

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod copies;
mod families;
mod merged;
#[cfg(target_os = "linux")]
mod multicast;
#[cfg(target_os = "linux")]
mod multicast_ipv6;
mod options;
mod own_socket;
#[cfg(target_os = "linux")]
mod shut_down;
mod text;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod workers;

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
};

use datagrammar::{Addr, Bind, BindError, Client, Raw, Server, Text};
use socket2::{Domain, Socket, Type};

use crate::support::{Bytes, Running};

/// An echo server.
async fn bind(addrs: impl Bind) -> Result<Server, BindError> {
    Server::bind(addrs, Text, async |text: String| text).await
}

fn local_addrs(server: &Server) -> Vec<SocketAddr> {
    server.handle().local_addrs().iter().filter_map(Addr::socket_addr).collect()
}

async fn peer_at(addr: SocketAddr) -> Bytes {
    Bytes(Client::connect(addr, Raw).await.unwrap())
}

/// A free address that no other test uses, because each test passes a different `ip`.
fn free_addr(ip: &str) -> SocketAddr {
    UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap()
}

fn is_free(addr: SocketAddr) -> bool {
    UdpSocket::bind(addr).is_ok()
}

// B-1
#[tokio::test]
async fn when_bind_returns_every_address_is_bound_and_nothing_is_served_yet() {
    let server = bind(["127.0.0.1:0", "[::1]:0"]).await.unwrap();

    let bound = local_addrs(&server);

    assert_eq!(bound.len(), 2);
    assert!(bound[0].is_ipv4() && bound[1].is_ipv6());
    assert!(!bound.iter().copied().any(is_free));
    assert!(!server.handle().is_serving());
}

// B-2
#[tokio::test]
async fn port_0_is_listed_as_the_port_that_the_kernel_chose() {
    let server = bind("127.0.0.1:0").await.unwrap();
    let addr = local_addrs(&server)[0];
    let server = Running::start(server).await;

    let reply = peer_at(addr).await.ask("hello").await;

    assert_eq!(reply, "hello");
    assert_ne!(addr.port(), 0);
    server.stop().await;
}

// B-3
#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_distinct_address_is_bound_once() {
    let addr = free_addr("127.0.0.21");
    let mapped = format!("[::ffff:127.0.0.21]:{}", addr.port());

    let server = bind([addr.to_string(), addr.to_string(), mapped]).await.unwrap();

    assert_eq!(local_addrs(&server), [addr]);
}

// B-3
#[tokio::test]
async fn each_address_with_port_0_gets_a_port_of_its_own() {
    let server = bind(["0.0.0.0:0", "127.0.0.1:0", "127.0.0.1:0"]).await.unwrap();

    let ports: Vec<_> = local_addrs(&server).iter().map(SocketAddr::port).collect();

    assert_eq!(ports.len(), 2);
    assert_ne!(ports[0], ports[1]);
}

// B-4
#[cfg(target_os = "linux")]
#[tokio::test]
async fn if_one_address_cannot_be_bound_then_none_is_and_the_error_names_those_that_failed() {
    let used = [(); 2].map(|()| UdpSocket::bind("127.0.0.22:0").unwrap());
    let [first, second] = used.each_ref().map(|socket| socket.local_addr().unwrap());
    let free = free_addr("127.0.0.22");

    let error = bind([free, first, second]).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(text.contains(&first.to_string()) && text.contains(&second.to_string()), "{text}");
    assert!(!text.contains(&free.to_string()), "{text}");
    assert!(is_free(free));
}

// B-5
#[tokio::test]
async fn no_address_at_all_is_invalid_input() {
    let none: [SocketAddr; 0] = [];

    let error = bind(none).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

// B-5
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_that_cannot_be_resolved_fails_with_the_error_of_the_resolver() {
    // A label of a name has at most 63 bytes, so the resolver refuses this one without a query.
    let name = format!("{}:9000", "a".repeat(64));
    let addr = free_addr("127.0.0.23");

    let error = bind(vec![addr.to_string(), name]).await.unwrap_err();

    assert!(error.to_string().contains("lookup"), "{error}");
    assert!(is_free(addr));
}

// B-3, B-6
#[tokio::test]
async fn a_name_is_bound_at_its_addresses_on_this_host() {
    let server = bind(["localhost:0", "127.0.0.1:0"]).await.unwrap();

    let bound = local_addrs(&server);

    assert!(!bound.is_empty() && bound.iter().all(|addr| addr.ip().is_loopback()), "{bound:?}");
    assert_eq!(bound.iter().filter(|addr| addr.is_ipv4()).count(), 1);
}

// B-10
#[tokio::test]
async fn an_address_belongs_to_one_server() {
    let server = bind("127.0.0.1:0").await.unwrap();

    let error = bind(local_addrs(&server)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

// B-10
#[tokio::test]
async fn reuse_address_does_not_let_another_socket_take_the_address() {
    let server = bind("127.0.0.1:0").await.unwrap();
    let thief = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    thief.set_reuse_address(true).unwrap();

    let stolen = thief.bind(&local_addrs(&server)[0].into());

    assert_eq!(stolen.unwrap_err().kind(), ErrorKind::AddrInUse);
}

// B-14
#[tokio::test]
async fn addresses_are_listed_as_operators_write_them() {
    let server = bind(["127.0.0.1:0", "[::1]:0"]).await.unwrap();

    let [v4, v6] = &server.handle().local_addrs()[..] else { panic!("two were bound") };

    assert_eq!(v4.to_string(), format!("127.0.0.1:{}", v4.socket_addr().unwrap().port()));
    assert_eq!(v6.to_string(), format!("[::1]:{}", v6.socket_addr().unwrap().port()));
}
