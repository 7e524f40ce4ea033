//! How blocking clients are made.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use datagrammar::{
    Addr, AnyTransport, ClientRecvError, ConnectError, Text, Udp,
    blocking::Client,
    testing::{Conditions, Network},
};
use socket2::{Domain, SockRef, Socket, Type};

use super::{client, hear};
use crate::clients::{IMPOSSIBLE, INCOMPLETE, addr, peer};

// C-2
#[cfg(target_os = "linux")]
#[test]
fn datagrams_leave_from_the_local_address_that_was_given() {
    let (peer, peer_addr) = peer();
    let client = Client::connect(Udp::new(peer_addr).local_addr("127.0.0.62:0"), Text).unwrap();

    client.send("ABCDEF".to_owned()).unwrap();

    let mut datagram = [0; 16];
    let (len, from) = peer.recv_from(&mut datagram).unwrap();
    assert_eq!(&datagram[..len], b"ABCDEF");
    assert_eq!(client.local_addr(), Addr::from(from));
    assert_eq!(from.ip(), Ipv4Addr::new(127, 0, 0, 62));
}

// C-14
#[test]
fn the_first_of_several_addresses_that_works_is_used() {
    let ((_first, first), (_second, second)) = (peer(), peer());
    let addrs = [addr(IMPOSSIBLE), addr(INCOMPLETE), first, second];

    let client = Client::connect(&addrs[..], Text).unwrap();

    assert_eq!(client.peer_addr(), Addr::from(first));
}

// C-14
#[test]
fn if_no_address_works_the_error_names_each() {
    let error = Client::connect(&[addr(IMPOSSIBLE), addr(INCOMPLETE)][..], Text).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = error.to_string();
    assert!(text.contains(IMPOSSIBLE) && text.contains(INCOMPLETE), "{text}");
}

// C-14
#[test]
fn addresses_of_another_family_than_the_local_one_are_skipped() {
    let (_peer, peer_addr) = peer();
    let peers = [addr("[::1]:9000"), peer_addr];

    let client = Client::connect(Udp::new(&peers[..]).local_addr("127.0.0.1:0"), Text).unwrap();
    let error =
        Client::connect(Udp::new("127.0.0.1:9000").local_addr("[::1]:0"), Text).unwrap_err();

    assert_eq!(client.peer_addr(), Addr::from(peer_addr));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("the other family"), "{error}");
}

// C-14, C-15
#[test]
fn a_name_is_looked_up() {
    let (peer, peer_addr) = peer();
    let name = Udp::new(("localhost", peer_addr.port())).local_addr("127.0.0.1:0");

    let client = Client::connect(name, Text).unwrap();
    client.send("hello".to_owned()).unwrap();

    assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
}

// C-15, B-5
#[test]
fn an_address_that_cannot_be_one_is_an_error_that_says_so() {
    let none: &[SocketAddr] = &[];

    let error = Client::connect(none, Text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no address"), "{error}");

    let error = Client::connect("localhost", Text).unwrap_err();
    assert!(matches!(error, ConnectError::Addrs(_)));
    assert_eq!(error.to_string(), r#"the address "localhost" has no port"#);

    // A label of a name has at most 63 bytes, so the resolver refuses this one without a query.
    let name = format!("{}:9000", "a".repeat(64));
    let error = Client::connect(&name, Text).unwrap_err();
    let expected = format!("the address {name:?} cannot be resolved: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

// C-16
#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_is_not_connected_is_refused_and_closed() {
    let bound = UdpSocket::bind("127.0.0.65:0").unwrap();
    let addr = bound.local_addr().unwrap();
    let unbound = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap().into();

    for socket in [bound, unbound] {
        let error = Client::connect(socket, Text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    }

    assert!(UdpSocket::bind(addr).is_ok());
}

// C-16
#[cfg(unix)]
#[test]
fn a_socket_of_a_wrong_family_is_refused() {
    use std::{
        net::{TcpListener, TcpStream},
        os::{fd::OwnedFd, unix::net::UnixDatagram},
    };

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (local, _other) = UnixDatagram::pair().unwrap();

    for socket in [OwnedFd::from(stream), local.into()] {
        let error = Client::connect(UdpSocket::from(socket), Text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

// C-16, C-21
#[test]
fn a_users_connected_socket_is_accepted_and_takes_all_options() {
    let (peer, peer_addr) = peer();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer_addr).unwrap();
    socket.set_broadcast(true).unwrap();
    let to = socket.local_addr().unwrap();

    let udp = Udp::from(socket).ttl(7).recv_buffer_size(10_000).batch_io(false);
    let client = Client::connect(udp, Text).unwrap();

    let heard = client.recv_timeout(Duration::ZERO);
    assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
    peer.send_to(b"hello", to).unwrap();
    assert_eq!(hear(&client), "hello");
    let socket = client.socket_ref().unwrap();
    let socket = SockRef::from(&socket);
    assert_eq!((socket.ttl_v4().unwrap(), socket.broadcast().unwrap()), (7, true));
    assert!((10_000..60_000).contains(&socket.recv_buffer_size().unwrap()));
}

// C-21
#[test]
fn a_new_socket_takes_all_options_and_a_socket_of_tokio_is_accepted() {
    let (peer, peer_addr) = peer();
    let udp = AnyTransport::new(Udp::new(peer_addr).ttl(7).send_buffer_size(20_000));
    let client = Client::connect(udp, Text).unwrap();
    assert_eq!(SockRef::from(&client.socket_ref().unwrap()).ttl_v4().unwrap(), 7);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let socket = runtime.block_on(async {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(peer_addr).await.unwrap();
        socket
    });
    let client = Client::connect(socket, Text).unwrap();
    drop(runtime);
    client.send("hello".to_owned()).unwrap();
    assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
}

// B-16, C-21
#[test]
fn an_option_that_clients_do_not_have_is_refused_by_its_name() {
    let bound = UdpSocket::bind("127.0.0.1:0").unwrap();
    bound.connect("127.0.0.1:9").unwrap();

    for (name, udp) in [
        ("workers", Udp::new("127.0.0.1:9").workers(1)),
        ("reuse_port", Udp::new("127.0.0.1:9").reuse_port(true)),
        ("ttl", Udp::new("127.0.0.1:9").ttl(0)),
        ("local_addr", Udp::from(bound).local_addr("127.0.0.1:0")),
    ] {
        let error = Client::connect(udp, Text).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(&format!("the option `{name}` ")), "{error}");
    }
}

#[test]
fn a_network_in_memory_is_refused_and_the_error_says_what_to_use() {
    let network = Network::new(1, Conditions::default());
    let socket = network.connect("10.0.0.1:1", "10.0.0.2:2").unwrap();

    let error = Client::connect(socket, Text).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("use `datagrammar::Client`"), "{error}");
    assert!(network.bind("10.0.0.1:1").is_ok());
}

#[test]
fn a_client_is_shown_with_its_addresses() {
    let (client, _peer) = client("127.0.0.1");

    let shown = format!("{client:?}");

    assert!(shown.contains(&client.peer_addr().port().unwrap().to_string()), "{shown}");
}
