//! G-10: datagrams that the kernel dropped because they were not received in time.

use std::{net::UdpSocket, sync::Arc};

use datagrammar::{Addr, DropReason, Server, ServerHandle, Text, ToAddrs, Udp};
use socket2::SockRef;

use crate::support::{until, within_deadline};

/// A server whose sockets hold only a few datagrams.
async fn server(addrs: impl ToAddrs) -> Server {
    let udp = Udp::new(addrs).recv_buffer_size(16 << 10);
    Server::bind(udp, Text, async |text: String| text).await.unwrap()
}

/// Sends that many datagrams. Over the loopback interface each has arrived or was dropped when this returns.
fn flood(from: &UdpSocket, to: &Addr, datagrams: usize) {
    for _ in 0..datagrams {
        from.send_to(b"flood", to).unwrap();
    }
}

fn dropped(server: &ServerHandle) -> u64 {
    server.stats().dropped(DropReason::Kernel)
}

// G-9, G-10
#[tokio::test]
async fn drops_for_a_full_buffer_are_counted_at_once_and_exactly() {
    const SENT: u64 = 20_000;
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = Arc::new(server("127.0.0.1:0").await);
    let handle = server.handle();

    flood(&peer, &server.local_addr(), SENT as usize);
    let lost = dropped(&handle);
    let serving = tokio::spawn(async move { server.serve().await });
    until(|| handle.stats().received == SENT - lost).await;
    within_deadline(handle.shutdown()).await;
    serving.await.unwrap().unwrap();

    let stats = handle.stats();
    assert!((1..SENT).contains(&lost));
    assert_eq!(stats.dropped(DropReason::Kernel), lost);
    assert_eq!(stats.received + lost, SENT);
    assert_eq!(stats.received, stats.delivered + stats.total_dropped());
}

// G-10, G-14
#[tokio::test]
async fn the_total_survives_another_serving_and_the_server_itself() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = server(["127.0.0.1:0", "127.0.0.2:0"]).await;
    let (addr, handle) = (server.local_addr(), server.handle());

    flood(&peer, &addr, 2_000);
    let first = dropped(&handle);
    server.serve_until(async {}).await.unwrap();
    server.serve_until(async {}).await.unwrap();
    assert_eq!(dropped(&handle), first);

    flood(&peer, &addr, 2_000);
    let second = dropped(&handle);
    flood(&peer, &addr, 1_000);
    drop(server);

    assert!(first < second);
    assert_eq!(dropped(&handle), second + 1_000);
    assert_eq!(dropped(&handle), second + 1_000);
}

// B-13, G-10
#[tokio::test]
async fn drops_before_the_server_took_the_users_socket_are_not_counted() {
    let (peer, socket) = (UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0"));
    let (peer, socket) = (peer.unwrap(), socket.unwrap());
    let addr = socket.local_addr().unwrap().into();
    SockRef::from(&socket).set_recv_buffer_size(16 << 10).unwrap();
    flood(&peer, &addr, 2_000);

    let server = Server::bind(socket, Text, async |text: String| text).await.unwrap();

    assert_eq!(dropped(&server.handle()), 0);
    flood(&peer, &addr, 1_000);
    assert_eq!(dropped(&server.handle()), 1_000);
}
