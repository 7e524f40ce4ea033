//! Proxies over the kernel's loopback, in both I/O modes and with several workers.

use std::{
    collections::HashSet,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use datagrammar::{
    Addr, Bytes, DatagramProtocol, DropReason, Handler, IoMode, Limits, Offload, Peer, Prefix, Raw,
    Server, ServerBuilder, ServerHandle, Text, Udp,
};

use super::{
    builder,
    header::{extended, of, tlv},
    trusted, until, who,
};

/// Whether there are batches, and several workers.
const BATCHES: bool = cfg!(all(target_os = "linux", not(datagrammar_portable)));
const WORKERS: usize = if BATCHES { 4 } else { 1 };

async fn serve<P>(builder: ServerBuilder<P>, udp: Udp) -> (ServerHandle, SocketAddr) {
    let server = builder.bind(udp).await.unwrap();
    let (handle, addr) = (server.handle(), server.local_addr().socket_addr().unwrap());
    server.spawn();
    assert!(handle.ready().await);
    (handle, addr)
}

/// A socket that sends to the server.
fn proxy(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.connect(("127.0.0.1", server.port())).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

async fn recv(socket: &UdpSocket) -> Vec<u8> {
    let socket = socket.try_clone().unwrap();
    let received = move || {
        let mut datagram = [0; 65_536];
        let len = socket.recv(&mut datagram).unwrap();
        datagram[..len].to_vec()
    };
    tokio::task::spawn_blocking(received).await.unwrap()
}

// O-3, O-21, O-22
#[tokio::test]
async fn clients_behind_a_proxy_are_served_in_each_io_mode() {
    for (udp, mode) in [
        (Udp::new("127.0.0.1:0"), IoMode::Batched),
        (Udp::new("0.0.0.0:0"), IoMode::Batched),
        (Udp::new("[::]:0"), IoMode::Batched),
        (Udp::new("127.0.0.1:0").batch_io(false), IoMode::Single),
        (Udp::new("[::]:0").batch_io(false), IoMode::Single),
    ] {
        let (handle, addr) = serve(builder(), udp).await;
        let proxy = proxy(addr);

        // One batch: clients of both families, one of them twice, and what is refused.
        let clients = ["192.0.2.7:5000", "[2001:db8::7]:5000", "198.51.100.1:1", "192.0.2.7:5000"];
        for client in clients {
            proxy.send(&of(client, "hi")).unwrap();
            proxy.send(b"no header").unwrap();
        }

        let mut replies = Vec::new();
        for _ in clients {
            replies.push(String::from_utf8(recv(&proxy).await).unwrap());
        }
        let mut expected = clients.map(|client| format!("{client} hi"));
        replies.sort();
        expected.sort();
        assert_eq!(replies, expected);
        until(|| handle.stats().dropped(DropReason::ProxyHeader) == 4).await;
        let found = handle.diagnostics().sockets()[0].io_mode();
        assert_eq!(found, if BATCHES { mode } else { IoMode::Single });
        handle.shutdown().await;
    }
}

// O-21: the reply comes from the address that the proxy has sent to
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn a_reply_leaves_from_the_address_that_the_proxy_has_sent_to() {
    let (handle, addr) = serve(builder(), Udp::new("0.0.0.0:0")).await;
    let proxy = UdpSocket::bind("127.0.0.1:0").unwrap();
    proxy.set_read_timeout(Some(Duration::from_secs(30))).unwrap();

    for ip in ["127.0.0.2", "127.0.0.3"] {
        let to = SocketAddr::new(ip.parse().unwrap(), addr.port());
        proxy.send_to(&of("192.0.2.7:5000", "hi"), to).unwrap();
        let socket = proxy.try_clone().unwrap();
        let received = move || socket.recv_from(&mut [0; 100]).unwrap().1;
        assert_eq!(tokio::task::spawn_blocking(received).await.unwrap(), to);
    }
    handle.shutdown().await;
}

// O-21, D-17: replies of one client through two proxies must not leave as segments of one message
#[tokio::test]
async fn replies_of_one_batch_go_to_their_own_proxies() {
    let server = builder().bind(Udp::new("127.0.0.1:0")).await.unwrap();
    let (handle, addr) = (server.handle(), server.local_addr().socket_addr().unwrap());
    let proxies = [proxy(addr), proxy(addr)];
    // They are there when serving begins, so they are one batch.
    for n in 0..40 {
        let client = ["192.0.2.7:5000", "192.0.2.7:5001"][n / 2 % 2];
        proxies[n % 2].send(&of(client, &format!("{n:02}"))).unwrap();
    }
    server.spawn();

    for (which, proxy) in proxies.iter().enumerate() {
        let mut numbers = HashSet::new();
        for _ in 0..20 {
            let reply = String::from_utf8(recv(proxy).await).unwrap();
            let (client, n) = reply.split_once(' ').unwrap();
            let n: usize = n.parse().unwrap();
            assert_eq!((n % 2, client), (which, ["192.0.2.7:5000", "192.0.2.7:5001"][n / 2 % 2]));
            numbers.insert(n);
        }
        assert_eq!(numbers.len(), 20);
    }
    handle.shutdown().await;
}

// O-24, D-8
#[tokio::test]
async fn a_client_has_one_conversation_whatever_proxies_and_workers_there_are() {
    /// Counts the packets of a conversation.
    struct Counter;

    impl Handler<String, String> for Counter {
        async fn handle(
            &self,
            peer: &mut Peer<String, String>,
        ) -> Result<(), datagrammar::BoxError> {
            for n in 1_u32.. {
                peer.recv().await?;
                peer.send(format!("{} {n}", peer.addr())).await?;
            }
            Ok(())
        }
    }

    let builder = Server::builder(Text, Counter).trust_proxy(trusted());
    let (handle, addr) = serve(builder, Udp::new("[::]:0").workers(WORKERS)).await;
    let proxies: Vec<_> = (0..8).map(|_| proxy(addr)).collect();
    let clients: Vec<_> = (1..=8)
        .flat_map(|n| [format!("192.0.2.{n}:5000"), format!("[2001:db8::{n}]:5000")])
        .collect();

    for (n, proxy) in proxies.iter().enumerate() {
        for client in &clients {
            proxy.send(&of(client, "hi")).unwrap();
            let reply = String::from_utf8(recv(proxy).await).unwrap();
            assert_eq!(reply, format!("{client} {}", n + 1));
        }
    }
    assert_eq!(handle.stats().active_conversations, clients.len());
    let merges = handle.diagnostics().sockets()[0].recv_offload();
    assert_eq!(merges == Offload::Proxied, WORKERS > 1, "{merges}");
    let sender = handle.sender::<String>("127.0.0.1:9".parse::<Addr>().unwrap());
    assert!(sender.is_ok());
    handle.shutdown().await;
}

// O-25
#[tokio::test]
async fn a_header_does_not_count_for_the_longest_datagram() {
    for batch_io in [true, false] {
        let limits = Limits::default().max_datagram_size(100);
        let udp = Udp::new("127.0.0.1:0").batch_io(batch_io);
        let (handle, addr) = serve(builder().limits(limits), udp).await;
        let proxy = proxy(addr);
        let client = "[2001:db8::7]:5000";
        let whole = "x".repeat(100);
        let longest = extended(client, &tlv(4, &[0; 536 - 16 - 36 - 3]));
        assert_eq!(longest.len(), 536);

        proxy.send(&of(client, &format!("{whole}y"))).unwrap();
        proxy.send(&[&longest[..], whole.as_bytes(), b"y"].concat()).unwrap();
        proxy.send(&of(client, &whole)).unwrap();
        proxy.send(&[&longest[..], whole.as_bytes()].concat()).unwrap();

        for _ in 0..2 {
            let reply = String::from_utf8(recv(&proxy).await).unwrap();
            assert_eq!(reply, format!("{client} {whole}"));
        }
        let stats = handle.stats();
        assert_eq!((stats.received, stats.dropped(DropReason::Truncated)), (4, 2));
        handle.shutdown().await;
    }
}

// O-25
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_kernel_filter_lets_headers_pass() {
    for required in [false, true] {
        let protocol = Text.layer(Prefix::new(*b"QZ"));
        let builder = Server::builder(protocol, who).trust_proxy(trusted()).kernel_filter(true);
        let (handle, addr) = serve(builder.require_proxy(required), Udp::new("127.0.0.1:0")).await;
        let proxy = proxy(addr);

        // These never reach the server: no header, and not the protocol. A required header is one.
        for junk in [&b"junk"[..], b"\r\n\r\n\0\r\nQUIT\n", b"Q"] {
            proxy.send(junk).unwrap();
        }
        if required {
            proxy.send(b"QZhi").unwrap();
        }
        proxy.send(&of("192.0.2.7:5000", "QZhi")).unwrap();

        assert_eq!(recv(&proxy).await, b"QZ192.0.2.7:5000 hi");
        let dropped = 3 + u64::from(required);
        if BATCHES {
            until(|| handle.stats().dropped(DropReason::Kernel) == dropped).await;
        }
        assert_eq!(handle.stats().received, 1);
        handle.shutdown().await;
    }
}

// O-3: each of several segments of one message has its own header
#[cfg(target_os = "linux")]
#[tokio::test]
async fn segments_have_headers_of_their_own() {
    let echo = async |bytes: Bytes, peer: Addr| Bytes::from(format!("{peer} {bytes:?}"));
    let builder = Server::builder(Raw, echo).trust_proxy(trusted());
    let (handle, addr) = serve(builder, Udp::new("127.0.0.1:0")).await;
    let proxy = proxy(addr);
    let datagrams: Vec<_> = (0..30).map(|n| of(&format!("192.0.2.{n}:5000"), "hello")).collect();
    let len = datagrams[0].len();
    crate::socket_option::set(&proxy, (libc::SOL_UDP, libc::UDP_SEGMENT, len as i32)).unwrap();

    proxy.send(&datagrams.concat()).unwrap();

    let mut replies = HashSet::new();
    for _ in 0..30 {
        replies.insert(recv(&proxy).await);
    }
    assert!((0..30).all(|n| replies.contains(format!("192.0.2.{n}:5000 b\"hello\"").as_bytes())));
    handle.shutdown().await;
}

// O-21
#[cfg(feature = "blocking")]
#[test]
fn a_blocking_server_trusts_proxies_too() {
    let server = builder().bind_blocking("127.0.0.1:0").unwrap();
    let (handle, addr) = (server.handle(), server.local_addr().socket_addr().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| server.serve().unwrap());
        let proxy = proxy(addr);
        proxy.send(&of("192.0.2.7:5000", "hi")).unwrap();

        let mut reply = [0; 100];
        let len = proxy.recv(&mut reply).unwrap();
        assert_eq!(&reply[..len], b"192.0.2.7:5000 hi");
        handle.shutdown();
    });
}
