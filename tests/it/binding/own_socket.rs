//! Servers on a socket of the user's.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, UdpSocket},
};

use datagrammar::{
    Bind, BindError, Client, Interface, Server, ServerBuilder, Text, Udp,
    testing::{Conditions, Network},
};
use socket2::{Domain, SockRef, Socket, Type};

use super::{is_free, peer_at};
use crate::{
    log::Log,
    support::{BindNow, Running, within_deadline},
};

fn builder() -> ServerBuilder<Text> {
    Server::builder(Text, async |text: String| text)
}

fn serve_on(socket: impl Bind) -> Result<Server, BindError> {
    builder().bind_now(socket)
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
async fn requested_options_are_set_on_a_users_socket() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();

    let builder = builder();
    let server = builder
        .bind_now(Udp::from(socket).ttl(7).recv_buffer_size(10_000).send_buffer_size(20_000))
        .unwrap();

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
async fn a_buffer_smaller_than_requested_is_logged_for_a_users_socket_too() {
    let log = Log::capture();
    let told = || log.all().iter().filter(|told| told.fields.contains_key("buffers")).count();
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();

    let unasked = builder().bind_now(socket()).unwrap();
    assert_eq!(told(), 0);
    let asked = builder().bind_now(Udp::from(socket()).recv_buffer_size(usize::MAX)).unwrap();

    assert_eq!(told(), 1);
    drop((unasked, asked));
}

// B-11, B-13
#[cfg(target_os = "linux")]
#[tokio::test]
async fn options_that_a_bound_socket_cannot_change_are_refused_by_name() {
    let socket = || UdpSocket::bind("[::]:0").unwrap();
    let refused = [
        ("reuse_port", builder().bind_now(Udp::from(socket()).reuse_port(true))),
        ("ipv6_only", builder().bind_now(Udp::from(socket()).ipv6_only(true))),
        ("bind_device", builder().bind_now(Udp::from(socket()).bind_device("no such"))),
        ("workers", builder().bind_now(Udp::from(socket()).workers(2))),
    ];

    for (name, server) in refused {
        let error = server.unwrap_err();
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
}

// B-13
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_users_socket_joins_the_requested_groups() {
    let group = Ipv4Addr::new(239, 255, 77, 20);
    let loopback = Interface::Addr(Ipv4Addr::LOCALHOST);
    let socket = || UdpSocket::bind("0.0.0.0:0").unwrap();

    let server = builder().bind_now(Udp::from(socket()).multicast(group, loopback)).unwrap();
    let nowhere =
        builder().bind_now(Udp::from(socket()).multicast(group, Interface::Index(u32::MAX)));

    assert_eq!(server.join_multicast(group, loopback).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(nowhere.is_err());
}

// B-13
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn the_gro_setting_of_a_users_socket_changes_only_on_request() {
    use datagrammar::Offload;

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let received = |asked: Option<bool>| {
        let udp = Udp::from(socket.try_clone().unwrap());
        let udp = match asked {
            Some(offload) => udp.segmentation_offload(offload),
            None => udp,
        };
        let server = builder().bind_now(udp).unwrap();
        server.handle().diagnostics().sockets()[0].recv_offload()
    };

    assert_eq!(received(None), Offload::CallerSocket);
    assert_eq!(received(Some(true)), Offload::On);
    assert_eq!(received(None), Offload::On);
    assert_eq!(received(Some(false)), Offload::Disabled);
    assert_eq!(received(None), Offload::CallerSocket);
}

// B-1, B-13, B-15
#[tokio::test]
async fn addresses_options_a_users_socket_and_memory_make_one_server_in_the_given_order() {
    let network = Network::new(1, Conditions::default());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let of_user = socket.local_addr().unwrap();
    let transports = (
        network.bind("10.0.0.1:9000").unwrap(),
        ["127.0.0.2:0", "127.0.0.3:0"],
        Udp::from(socket).ttl(7),
        Udp::new("127.0.0.4:0").ttl(8),
    );

    let server = builder().bind(transports).await.unwrap();

    let addrs = server.handle().local_addrs();
    let hosts: Vec<_> = addrs.iter().map(|addr| addr.ip().unwrap().to_string()).collect();
    assert_eq!(hosts, ["10.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.4"]);
    assert_eq!(addrs[3], of_user);
    let ttls: Vec<_> =
        server.sockets().map(|socket| SockRef::from(&socket).ttl_v4().unwrap()).collect();
    assert_eq!((ttls[2], ttls[3]), (7, 8));
    let server = Running::start(server).await;
    let in_memory = network.connect("10.0.0.2:0", "10.0.0.1:9000").unwrap();
    let client = Client::connect(in_memory, Text).await.unwrap();
    client.send("in memory".to_owned()).await.unwrap();
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "in memory");
    for addr in &addrs[1..] {
        let client = Client::connect(addr, Text).await.unwrap();
        client.send(&addr.to_string()).await.unwrap();
        assert_eq!(within_deadline(client.recv()).await.unwrap(), addr.to_string());
    }
    server.stop().await;
}

// B-13
#[tokio::test]
async fn a_socket_of_tokio_is_served() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();

    let server = Running::start(serve_on(socket).unwrap()).await;

    let client = Client::connect(addr, Text).await.unwrap();
    client.send("hello".to_owned()).await.unwrap();
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
    server.stop().await;
}

// B-16
#[tokio::test]
async fn an_option_of_clients_is_refused_by_name() {
    let udp = Udp::new("127.0.0.1:0").local_addr("127.0.0.1:0");

    let error = builder().bind(udp).await.unwrap_err();

    assert_eq!(error.to_string(), "the option `local_addr` is for clients");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

// B-13
#[tokio::test]
async fn a_users_blocking_socket_is_served() {
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

// B-15
#[tokio::test]
async fn addresses_are_listed_in_the_given_order_for_all_options() {
    let socket = UdpSocket::bind("127.0.0.4:0").unwrap();
    let transports = ("127.0.0.1:0", Udp::new("127.0.0.2:0").ttl(1), "127.0.0.3:0", socket);

    let server = builder().bind(transports).await.unwrap();

    let hosts =
        server.handle().local_addrs().into_iter().map(|addr| addr.ip().unwrap().to_string());
    let hosts: Vec<_> = hosts.collect();
    assert_eq!(hosts, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]);
}

// B-3, B-15
#[tokio::test]
async fn one_address_with_two_sets_of_options_is_refused_but_port_0_is_two_ports() {
    let addr = super::free_addr("127.0.0.1");
    let error = builder().bind((addr, Udp::new(addr).ttl(1))).await.unwrap_err();
    let text = format!("the address {addr} is given twice, with different options");
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::InvalidInput, text));
    assert!(is_free(addr));

    let both = builder().bind(("127.0.0.1:0", Udp::new("127.0.0.1:0").ttl(1))).await.unwrap();
    assert_eq!(both.handle().local_addrs().len(), 2);
}

// B-5, B-15
#[tokio::test]
async fn an_empty_list_is_an_error_even_beside_an_address() {
    let none: [&str; 0] = [];
    for error in [
        builder().bind((none.to_vec(), "127.0.0.1:0")).await.unwrap_err(),
        builder().bind((Udp::new(none).ttl(4), "127.0.0.1:0")).await.unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::InvalidInput, "no address was given")
        );
    }
}

// B-7, B-15
#[tokio::test]
async fn the_ipv6_wildcard_leaves_ipv4_to_a_users_ipv4_socket_beside_it() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();

    let server = builder().bind((socket, ("::", port))).await.unwrap();

    let only_v6 = SockRef::from(&server.sockets().nth(1).unwrap()).only_v6().unwrap();
    assert!(only_v6);
}

// B-1, C-1: the futures can be spawned, for every kind of address
#[tokio::test]
async fn the_futures_of_bind_and_connect_can_be_spawned() {
    fn is_send<F: Future + Send>(future: F) -> F {
        future
    }
    let echo = || async |text: String| text;
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();

    assert!(is_send(Server::bind("127.0.0.1:0", Text, echo())).await.is_ok());
    assert!(is_send(builder().bind(["127.0.0.1:0"].as_slice())).await.is_ok());
    assert!(is_send(builder().bind(Udp::new(("127.0.0.1", 0)))).await.is_ok());
    assert!(is_send(builder().bind((socket(), vec!["127.0.0.1:0".to_owned()]))).await.is_ok());
    assert!(is_send(Client::connect("127.0.0.1:9", Text)).await.is_ok());
    assert!(is_send(Client::connect(Udp::new("127.0.0.1:9"), Text)).await.is_ok());
    drop(is_send(Client::connect(socket(), Text)));
}

// B-16, C-21
#[tokio::test]
async fn the_ttl_applies_to_multicast_too() {
    let udp = || Udp::new("0.0.0.0:0").ttl(7);
    let user = UdpSocket::bind("127.0.0.1:0").unwrap();
    for server in [
        builder().bind(udp()).await.unwrap(),
        builder().bind(Udp::from(user).ttl(7)).await.unwrap(),
    ] {
        let socket = server.sockets().next().unwrap();
        assert_eq!(SockRef::from(&socket).multicast_ttl_v4().unwrap(), 7);
    }
}

// B-13, B-16
#[tokio::test]
async fn an_option_that_the_system_refuses_is_an_error_of_the_option() {
    let error = builder().bind(Udp::new("127.0.0.1:0").bind_device("no such")).await.unwrap_err();

    let BindError::Option(error) = error else { panic!("{error:?}") };
    assert_eq!(error.name(), "bind_device");
}
