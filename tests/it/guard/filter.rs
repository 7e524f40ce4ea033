//! the kernel drops what cannot be a packet of the protocol.
#![cfg(all(target_os = "linux", not(datagrammar_portable)))]

use std::net::{SocketAddr, UdpSocket};

use datagrammar::{
    AnyTransport, BindError, DatagramProtocol, DropReason, Layered, Offload, Prefix, Raw, Server,
    ServerBuilder, Shape, Text, Udp,
};
use socket2::{SockFilter, SockRef};

use crate::{
    log::Log,
    socket_option::{Switch, set},
    support::{BindNow, Net, Running, everywhere, until, within_deadline},
};

type Quiz = Layered<Text, Prefix<2>>;

fn quiz() -> ServerBuilder<Quiz> {
    Server::builder(Text.layer(Prefix::new(*b"QZ")), async |text: String| text).kernel_filter(true)
}

/// Datagrams that are no packets of the quiz.
const JUNK: [&[u8]; 6] = [b"", b"Q", b"qz", b"ZQhello", b"\0QZhello", &[0xff; 1_200]];

/// A client that does not check what it sends.
fn peer(to: SocketAddr) -> UdpSocket {
    let local = if to.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
    let socket = UdpSocket::bind(local).unwrap();
    socket.connect(to).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn addr_of(server: &Running) -> SocketAddr {
    server.handle.local_addrs().swap_remove(0).socket_addr().unwrap()
}

fn kernel_drops(server: &Running) -> u64 {
    server.handle.stats().dropped(DropReason::Kernel)
}

fn filter(server: &Running) -> Option<usize> {
    server.handle.diagnostics().sockets()[0].kernel_filter()
}

/// Waits for the next datagram.
async fn recv(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    within_deadline(async {
        loop {
            match socket.recv(&mut buffer) {
                Ok(len) => return buffer[..len].to_vec(),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

/// Sends junk and requests from several ports, and checks that every request is answered and no junk is received.
async fn serves_what_is_valid(server: Running, addr: SocketAddr) {
    let stats = || server.handle.stats();
    let peers: Vec<_> = (0..8).map(|_| peer(addr)).collect();
    for n in 0..10 {
        for peer in &peers {
            let junk = JUNK.map(|junk| peer.send(junk).unwrap());
            assert_eq!(junk.len(), 6);
            peer.send(format!("QZ{n}").as_bytes()).unwrap();
        }
    }

    for peer in &peers {
        let mut answers = Vec::new();
        for _ in 0..10 {
            answers.push(recv(peer).await);
        }
        answers.sort_unstable();
        assert!((0..10).eq(answers.iter().map(|it| it[2] - b'0')), "{answers:?}");
    }
    assert_eq!((stats().received, stats().delivered, stats().decode_errors), (80, 80, 0));
    if server.handle.diagnostics().sockets()[0].kernel_drops().is_some() {
        assert_eq!(stats().dropped(DropReason::Kernel), 8 * 10 * 6);
    }
    assert!(filter(&server).is_some());
    server.stop().await;
}

//
#[tokio::test]
async fn junk_is_never_received_and_every_packet_arrives() {
    for ip in ["127.0.0.1", "::1"] {
        let merging: Switch = (libc::SOL_UDP, libc::UDP_GRO, 1);
        let own = |merges: bool| {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            if merges {
                set(&socket, merging).unwrap();
            }
            AnyTransport::new(socket)
        };
        let udp = || Udp::new((ip, 0));
        let transports = [
            AnyTransport::new(udp()),
            AnyTransport::new(udp().segmentation_offload(true)),
            AnyTransport::new(udp().batch_io(false)),
            AnyTransport::new(udp().workers(3)),
            own(false),
            own(true),
        ];
        for transport in transports {
            let server = Running::start(quiz().bind_now(transport).unwrap()).await;
            let addr = addr_of(&server);
            serves_what_is_valid(server, addr).await;
        }
    }
}

//
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dedicated_threads_and_dual_stack_sockets_have_the_filter_too() {
    for ip in ["127.0.0.1", "::1"] {
        let threads = quiz().dedicated_threads(true).bind_now(Udp::new((ip, 0)).workers(2));
        let threads = Running::start(threads.unwrap()).await;
        let addr = addr_of(&threads);
        serves_what_is_valid(threads, addr).await;

        let any = Running::start(quiz().bind_now("[::]:0").unwrap()).await;
        let addr = SocketAddr::new(ip.parse().unwrap(), addr_of(&any).port());
        serves_what_is_valid(any, addr).await;
    }
}

// the kernel would otherwise drop all that is merged with the first one
#[tokio::test]
async fn junk_in_front_of_packets_of_the_same_train_takes_none_with_it() {
    for ip in ["127.0.0.1", "::1"] {
        let own = UdpSocket::bind((ip, 0)).unwrap();
        set(&own, (libc::SOL_UDP, libc::UDP_GRO, 1)).unwrap();
        for transport in [AnyTransport::new(Udp::new((ip, 0))), AnyTransport::new(own)] {
            let server = Running::start(quiz().bind_now(transport).unwrap()).await;
            let peer = peer(addr_of(&server));
            set(&peer, (libc::SOL_UDP, libc::UDP_SEGMENT, 10)).unwrap();

            let packets = (0..40).map(|n| format!("QZ{n:08}"));
            let train: String = std::iter::once("not a quiz".to_owned()).chain(packets).collect();
            peer.send(train.as_bytes()).unwrap();

            for _ in 0..40 {
                assert!(recv(&peer).await.starts_with(b"QZ000000"));
            }
            assert_eq!((server.handle.stats().received, kernel_drops(&server)), (40, 1));
            let offload = server.handle.diagnostics().sockets()[0].recv_offload();
            assert_eq!(offload, Offload::Filtered);
            server.stop().await;
        }
    }
}

//
#[tokio::test]
async fn the_longest_length_is_checked_for_each_datagram_of_a_train() {
    let short = Raw.shaped(Shape::lengths(..=10));
    let builder =
        Server::builder(short, async |bytes: datagrammar::Bytes| bytes).kernel_filter(true);
    let server = Running::start(builder.bind_now("127.0.0.1:0").unwrap()).await;
    let peer = peer(addr_of(&server));

    peer.send(&[7; 11]).unwrap();
    set(&peer, (libc::SOL_UDP, libc::UDP_SEGMENT, 10)).unwrap();
    peer.send(&[7; 200]).unwrap();

    for _ in 0..20 {
        assert_eq!(recv(&peer).await, [7; 10]);
    }
    assert_eq!((server.handle.stats().received, kernel_drops(&server)), (20, 1));
    server.stop().await;
}

/// How many of ten requests arrive behind a flood that nobody reads.
async fn left_of_a_flood(builder: ServerBuilder<Quiz>) -> u64 {
    let udp = Udp::new("127.0.0.1:0").recv_buffer_size(32 << 10);
    let server = builder.bind_now(udp).unwrap();
    let handle = server.handle();
    let peer = peer(server.local_addr().socket_addr().unwrap());
    (0..2_000).for_each(|_| assert_eq!(peer.send(b"junk").unwrap(), 4));
    (0..10).for_each(|_| assert_eq!(peer.send(b"QZ").unwrap(), 2));

    let arrived = 2_010 - handle.stats().dropped(DropReason::Kernel);
    let server = Running::start(server).await;
    until(|| handle.stats().received == arrived).await;
    let delivered = handle.stats().delivered - handle.stats().decode_errors;
    server.stop().await;
    delivered
}

//
#[tokio::test]
async fn junk_takes_no_room_in_the_buffer() {
    assert_eq!(left_of_a_flood(quiz()).await, 10);
    assert_eq!(left_of_a_flood(quiz().kernel_filter(false)).await, 0);
}

//
#[tokio::test]
async fn a_protocol_that_accepts_anything_has_no_filter() {
    let own = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stale = UdpSocket::bind("127.0.0.1:0").unwrap();
    SockRef::from(&stale).attach_filter(&DROP_ALL).unwrap();
    let transports = [AnyTransport::new("127.0.0.1:0"), AnyTransport::new(own), stale.into()];

    for transport in transports {
        let builder = Server::builder(Raw, async |bytes: datagrammar::Bytes| bytes);
        let server = builder.kernel_filter(true).bind_now(transport).unwrap();
        let server = Running::start(server).await;
        let peer = peer(addr_of(&server));
        peer.send(b"\xff").unwrap();

        assert_eq!(recv(&peer).await, b"\xff");
        let diagnostics = server.handle.diagnostics();
        let socket = &diagnostics.sockets()[0];
        assert_eq!((socket.kernel_filter(), kernel_drops(&server)), (None, 0));
        assert_ne!(socket.recv_offload(), Offload::Filtered);
        assert!(!diagnostics.to_string().contains("filter"), "{diagnostics}");
        server.stop().await;
    }
}

//
#[tokio::test]
async fn without_the_option_nothing_is_filtered() {
    let server = Running::start(quiz().kernel_filter(false).bind_now("127.0.0.1:0").unwrap()).await;
    let peer = peer(addr_of(&server));
    peer.send(b"junk").unwrap();

    until(|| server.handle.stats().decode_errors == 1).await;
    assert_eq!((filter(&server), kernel_drops(&server)), (None, 0));
    server.stop().await;
}

async fn unfiltered(net: Net) {
    let server = net.serve(quiz()).await;
    let peer = net.peer_of(&server.handle).await;
    peer.send("junk").await;

    until(|| server.handle.stats().decode_errors == 1).await;
    assert_eq!(peer.ask("QZ?").await, "QZ?");
    assert_eq!(filter(&server), None);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn memory_and_unix_sockets_have_no_filter() {
    unfiltered(Net::memory()).await;
    unfiltered(Net::Unix).await;
    unfiltered(Net::UnixPaths).await;
}

//
#[tokio::test]
async fn a_socket_whose_filter_is_locked_is_refused_by_name() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    set(&socket, (libc::SOL_SOCKET, libc::SO_LOCK_FILTER, 1)).unwrap();

    let error = quiz().bind_now(socket).unwrap_err();

    let BindError::Option(error) = error else { panic!("{error}") };
    assert_eq!(
        (error.name(), error.kind()),
        ("kernel_filter", std::io::ErrorKind::PermissionDenied)
    );
}

// A-23, H-17
#[tokio::test]
async fn a_drop_of_the_filter_is_not_logged_as_a_full_buffer() {
    let log = Log::capture();
    let server = Running::start(quiz().bind_now("127.0.0.1:0").unwrap()).await;
    let peer = peer(addr_of(&server));

    JUNK.iter().for_each(|junk| assert_eq!(peer.send(junk).unwrap(), junk.len()));
    assert_eq!(kernel_drops(&server), 6);
    let told = log.alarm();
    assert_eq!((told.field("reason"), server.handle.stats().total_dropped()), ("kernel", 0));
    assert!(told.field("bound").starts_with("the kernel filter or"), "{told:?}");

    let diagnostics = server.handle.diagnostics().to_string();
    assert!(diagnostics.contains("dropped by the kernel: 6 (by the filter, or"), "{diagnostics}");
    server.stop().await;
}

const DROP_ALL: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];

//
#[tokio::test]
async fn a_filter_of_the_users_stays_on_the_users_socket() {
    // Datagrams of at least 4 bytes: with the header of UDP these are 12.
    let longer = [
        SockFilter::new(0x80, 0, 0, 0),
        SockFilter::new(0x35, 0, 1, 12),
        SockFilter::new(0x06, 0, 0, u32::MAX),
        SockFilter::new(0x06, 0, 0, 0),
    ];
    for kernel_filter in [false, true] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        SockRef::from(&socket).attach_filter(&longer).unwrap();
        let builder = quiz().kernel_filter(kernel_filter);
        let server = Running::start(builder.bind_now(socket).unwrap()).await;
        let peer = peer(addr_of(&server));

        peer.send(b"QZ").unwrap();
        peer.send(b"QZ??").unwrap();

        // The server's own filter replaces it.
        let first: &[u8] = if kernel_filter { b"QZ" } else { b"QZ??" };
        assert_eq!(recv(&peer).await, first);
        assert_eq!(kernel_drops(&server), u64::from(!kernel_filter));
        assert_eq!(filter(&server) == Some(4), !kernel_filter);
        server.stop().await;
    }
}

everywhere! {
    //
    async fn mixed(net) {
        let server = net.serve(quiz()).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..100 {
            peer.send("junk").await;
            assert_eq!(peer.ask(&format!("QZ{n}")).await, format!("QZ{n}"));
        }

        server.stop().await;
    }
}
