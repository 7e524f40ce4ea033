//! How clients are made, and from whom they receive.

#[cfg(target_os = "linux")]
use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use datagrammar::{Addr, Client, ClientRecvError, Text, Udp, testing::Network};
#[cfg(target_os = "linux")]
use socket2::SockAddr;
use socket2::{Domain, Socket, Type};

use super::client;
use crate::{
    clients::{IMPOSSIBLE, INCOMPLETE, addr, peer},
    support::{Bytes, Net, client_on, everywhere, within_deadline},
};

// C-2
#[cfg(target_os = "linux")]
#[tokio::test]
async fn datagrams_leave_from_the_local_address_that_was_given() {
    let (peer, peer_addr) = peer();
    let client = Client::builder(Text);
    let client =
        client.connect(Udp::new(peer_addr).local_addr(addr("127.0.0.31:0"))).await.unwrap();

    client.send(&"ABCDEF".to_owned()).await.unwrap();

    let mut datagram = [0; 16];
    let (len, from) = peer.recv_from(&mut datagram).unwrap();
    assert_eq!(&datagram[..len], b"ABCDEF");
    assert_eq!(client.local_addr(), Addr::from(from));
    assert_eq!(from.ip(), addr("127.0.0.31:0").ip());
}

// C-2
#[tokio::test]
async fn without_a_local_address_the_route_decides() {
    let (_peer, peer_addr) = peer();

    let client = Client::connect(peer_addr, Text).await.unwrap();

    let local = client.local_addr().socket_addr().unwrap();
    assert_eq!(local.ip(), Ipv4Addr::LOCALHOST);
    assert_ne!(local.port(), 0);
    assert_eq!(client.peer_addr(), Addr::from(peer_addr));
}

everywhere! {
    // C-3
    async fn datagrams_of_others_are_not_returned(net) {
        let (client, peer) = client(&net);
        let to = client.local_addr();
        match &net {
            Net::Memory(network) => {
                let to = to.socket_addr().unwrap();
                let stranger = network.connect("10.0.0.3:0", to).unwrap();
                client_on(stranger, Text).unwrap().send(&"you".to_owned()).await.unwrap();
            }
            Net::Loopback(ip) | Net::Portable(ip) | Net::Workers(ip) | Net::Threads(ip) => {
                let to = to.socket_addr().unwrap();
                UdpSocket::bind((*ip, 0)).unwrap().send_to(b"you", to).unwrap();
            }
            // The kernel refuses to send to a socket that is connected to another one.
            #[cfg(target_os = "linux")]
            Net::Unix | Net::UnixPaths => {
                let stranger = Socket::new(Domain::UNIX, Type::DGRAM, None).unwrap();
                let name = [b"\0", to.as_abstract_name().unwrap()].concat();
                let name = SockAddr::unix(OsStr::from_bytes(&name)).unwrap();
                let refused = stranger.send_to(b"you", &name).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            }
        }

        let heard = client.recv_timeout(Duration::from_millis(10)).await;

        assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
        peer.send("me").await;
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "me");
    }
}

// C-3, C-16
#[tokio::test]
async fn datagrams_of_others_from_before_connecting_are_not_returned() {
    let ((stranger, _), (peer, peer_addr)) = (peer(), peer());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    stranger.send_to(b"a long greeting of a stranger", to).unwrap();
    stranger.send_to(b"", to).unwrap();
    socket.connect(peer_addr).unwrap();
    peer.send_to(b"me", to).unwrap();

    let client = client_on(socket, Text).unwrap();

    assert_eq!(within_deadline(client.recv()).await.unwrap(), "me");
}

// C-14
#[tokio::test]
async fn the_first_of_several_addresses_that_works_is_used() {
    let ((_first, first), (_second, second)) = (peer(), peer());
    let addrs = [addr(IMPOSSIBLE), addr(INCOMPLETE), first, second];

    let client = Client::connect(&addrs[..], Text).await.unwrap();

    assert_eq!(client.peer_addr(), Addr::from(first));
}

// C-14
#[tokio::test]
async fn if_no_address_works_the_error_names_each() {
    let addrs = [addr(IMPOSSIBLE), addr(INCOMPLETE)];

    let error = Client::connect(&addrs[..], Text).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = error.to_string();
    assert!(text.contains(IMPOSSIBLE) && text.contains(INCOMPLETE), "{text}");
}

// C-14
#[tokio::test]
async fn addresses_of_another_family_than_the_local_one_are_skipped() {
    let (_peer, peer_addr) = peer();
    let client = Client::builder(Text);

    let client = client
        .connect(Udp::new(&[addr("[::1]:9000"), peer_addr][..]).local_addr(addr("127.0.0.1:0")))
        .await
        .unwrap();

    assert_eq!(client.peer_addr(), Addr::from(peer_addr));
}

// C-14
#[tokio::test]
async fn if_all_addresses_are_of_another_family_the_error_says_so() {
    let client = Client::builder(Text);

    let error =
        client.connect(Udp::new("127.0.0.1:9000").local_addr(addr("[::1]:0"))).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("the other family"), "{error}");
}

// C-14, C-15
#[tokio::test]
async fn a_name_is_looked_up() {
    let (peer, peer_addr) = peer();
    let client = Client::builder(Text);

    let client = client
        .connect(Udp::new(("localhost", peer_addr.port())).local_addr(addr("127.0.0.1:0")))
        .await
        .unwrap();
    client.send(&"hello".to_owned()).await.unwrap();

    assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
}

// C-15
#[test]
fn a_numeric_address_is_never_looked_up() {
    // A blocking thread of the runtime resolves names. Here there is only one, and it is busy.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (release, busy) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || busy.recv());

    runtime.block_on(async {
        for numeric in ["127.0.0.1:9000", "[::1]:9000", "[fe80::1%1]:9000"] {
            let connected = Client::connect(numeric, Text);
            // The result does not matter here.
            drop(within_deadline(connected).await);
        }
        let name = Client::connect("localhost:9000", Text);
        assert!(tokio::time::timeout(Duration::from_millis(10), name).await.is_err());
    });
    drop(release);
}

// C-15
#[tokio::test]
async fn a_name_without_addresses_is_an_error_that_says_so() {
    let none: &[SocketAddr] = &[];

    let error = Client::connect(none, Text).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no address"), "{error}");
}

// C-16
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_socket_that_is_not_connected_is_refused_and_closed() {
    let bound = UdpSocket::bind("127.0.0.32:0").unwrap();
    let addr = bound.local_addr().unwrap();
    let unbound = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap().into();

    for socket in [bound, unbound] {
        let error = client_on(socket, Text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    }

    assert!(UdpSocket::bind(addr).is_ok());
}

// C-16
#[tokio::test]
async fn a_socket_in_memory_that_is_not_connected_is_refused_and_closed() {
    let network = Network::new(1, Default::default());

    let error = client_on(network.bind("10.0.0.1:1").unwrap(), Text).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert!(network.bind("10.0.0.1:1").is_ok());
}

// C-16
#[cfg(unix)]
#[tokio::test]
async fn a_socket_of_a_wrong_family_is_refused() {
    use std::{
        net::{TcpListener, TcpStream},
        os::{fd::OwnedFd, unix::net::UnixDatagram},
    };

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (local, _other) = UnixDatagram::pair().unwrap();

    for socket in [OwnedFd::from(stream), local.into()] {
        let error = client_on(UdpSocket::from(socket), Text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

// C-16
#[tokio::test]
async fn a_users_connected_blocking_socket_is_accepted() {
    let (peer, peer_addr) = peer();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer_addr).unwrap();
    peer.connect(socket.local_addr().unwrap()).unwrap();
    let peer = Bytes(client_on(peer, datagrammar::Raw).unwrap());

    let client = client_on(socket, Text).unwrap();

    let heard = client.recv_timeout(Duration::ZERO).await;
    assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
    client.send(&"hello".to_owned()).await.unwrap();
    assert_eq!(peer.recv_text().await, "hello");
}

// C-21
#[tokio::test]
async fn a_client_on_a_users_socket_takes_all_options() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect("127.0.0.1:9").unwrap();
    socket.set_broadcast(true).unwrap();

    let udp = Udp::from(socket).ttl(7).recv_buffer_size(10_000).batch_io(false);
    let client = Client::connect(udp, Text).await.unwrap();

    let socket = client.socket_ref().unwrap();
    let socket = socket2::SockRef::from(&socket);
    assert_eq!((socket.ttl_v4().unwrap(), socket.broadcast().unwrap()), (7, true));
    assert!((10_000..60_000).contains(&socket.recv_buffer_size().unwrap()));
}

// C-21
#[tokio::test]
async fn a_client_on_a_socket_of_tokio_is_connected() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(peer.local_addr().unwrap()).await.unwrap();

    let client = Client::connect(socket, Text).await.unwrap();

    client.send("hello".to_owned()).await.unwrap();
    assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
}

// B-16, C-21
#[tokio::test]
async fn an_option_that_clients_do_not_have_is_refused_by_its_name() {
    let udp = || Udp::new("127.0.0.1:9");
    let group = Ipv4Addr::new(239, 255, 77, 30);
    let bound = UdpSocket::bind("127.0.0.1:0").unwrap();
    bound.connect("127.0.0.1:9").unwrap();

    for (name, udp) in [
        ("workers", udp().workers(1)),
        ("recv_traffic_class", udp().recv_traffic_class(true)),
        ("ipv6_only", udp().ipv6_only(true)),
        ("multicast", udp().multicast(group, datagrammar::Interface::Any)),
        ("reuse_port", udp().reuse_port(true)),
        ("local_addr", Udp::from(bound).local_addr("127.0.0.1:0")),
    ] {
        let error = Client::connect(udp, Text).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(&format!("the option `{name}` ")), "{error}");
    }
}
