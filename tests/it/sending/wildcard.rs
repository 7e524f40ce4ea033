//! The source address of replies if a server is bound to a wildcard address.
#![cfg(all(target_os = "linux", not(datagrammar_portable)))]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use datagrammar::{Bind, PeerSender, Server, Text};
use tokio::{net::UdpSocket, task::yield_now};

use crate::support::{Running, conversing, until, within_deadline};

/// Runs a test on two wildcard addresses, each with addresses of this host that it serves: IPv4 on a
/// current-thread runtime, and both families on a multi-thread runtime.
macro_rules! on_wildcards {
    ($($(#[$attr:meta])* async fn $name:ident($wildcard:ident, $ips:ident) $body:block)+) => {
        $($(#[$attr])* mod $name {
            use super::*;

            async fn test($wildcard: &str, $ips: &[&str]) $body

            #[tokio::test]
            async fn over_ipv4() {
                test("0.0.0.0", &["127.0.0.1", "127.0.0.2"]).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_both_families_with_threads() {
                test("::", &["::1", "127.0.0.2", "127.0.0.1"]).await;
            }
        })+
    };
}

/// A server that answers each request with the address that it came to. A number in the request says how
/// often. A request that begins with "later" is answered as a task.
async fn serve(addr: impl Bind) -> (Running, u16) {
    let handler = conversing!(|peer| {
        loop {
            let request = peer.recv().await?;
            if request.starts_with("later") {
                yield_now().await;
            }
            let times = request.split(' ').nth(1).map_or(1, |times| times.parse().unwrap());
            for _ in 0..times {
                peer.send(&peer.local_addr().to_string()).await?;
            }
            if request.starts_with("once") {
                return Ok(());
            }
        }
    });
    let server = Server::builder(Text, handler).bind(addr).await.unwrap();
    let port = server.local_addr().port().unwrap();
    (Running::start(server).await, port)
}

/// A peer that receives only from `server`.
async fn connected(server: SocketAddr) -> UdpSocket {
    let ip = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let peer = UdpSocket::bind(ip).await.unwrap();
    peer.connect(server).await.unwrap();
    peer
}

async fn recv(peer: &UdpSocket) -> (String, SocketAddr) {
    let mut reply = [0; 64];
    let (len, from) = within_deadline(peer.recv_from(&mut reply)).await.unwrap();
    (String::from_utf8(reply[..len].to_vec()).unwrap(), from)
}

on_wildcards! {
    // S-2, S-12
    async fn a_reply_leaves_from_the_address_that_was_asked(wildcard, ips) {
        let (server, port) = serve((wildcard, 0)).await;

        for ip in ips {
            let asked = SocketAddr::new(ip.parse().unwrap(), port);
            for request in ["once", "once 20", "loop", "later", "later 20"] {
                let peer = connected(asked).await;
                peer.send(request.as_bytes()).await.unwrap();
                for _ in 0..if request.ends_with("20") { 20 } else { 1 } {
                    assert_eq!(recv(&peer).await.0, asked.to_string(), "{request}");
                }
            }
        }
        server.stop().await;
    }

    // S-2
    async fn replies_come_from_the_address_that_the_peer_used_last(wildcard, ips) {
        let (server, port) = serve((wildcard, 0)).await;
        let local = if ips[0].contains(':') { "[::1]:0" } else { "127.0.0.1:0" };
        let peer = UdpSocket::bind(local).await.unwrap();

        for ip in ips.iter().chain(&ips[..1]) {
            let asked = SocketAddr::new(ip.parse().unwrap(), port);
            if asked.is_ipv6() != local.starts_with('[') {
                continue;
            }
            peer.send_to(b"loop", asked).await.unwrap();
            assert_eq!(recv(&peer).await, (asked.to_string(), asked));
        }
        server.stop().await;
    }
}

// S-2, S-14
#[tokio::test]
async fn a_sender_sends_from_the_address_that_its_peer_knows() {
    let kept = Arc::new(Mutex::new(None::<PeerSender<String>>));
    let handler = conversing!(
        [kept] | peer | {
            peer.recv().await?;
            *kept.lock().unwrap() = Some(peer.sender());
            Ok(())
        }
    );
    let server = Server::builder(Text, handler).bind("0.0.0.0:0").await.unwrap();
    let port = server.local_addr().port().unwrap();
    let server = Running::start(server).await;
    let peer = connected(SocketAddr::from(([127, 0, 0, 2], port))).await;

    peer.send(b"hello").await.unwrap();
    until(|| server.handle.stats().conversations == 1).await;
    let sender = kept.lock().unwrap().clone().unwrap();
    sender.send(&"news".to_owned()).await.unwrap();

    assert_eq!(recv(&peer).await.0, "news");
    server.stop().await;
}

// S-3
#[tokio::test]
async fn a_broadcast_is_answered_from_an_address_of_the_host() {
    for wildcard in ["0.0.0.0", "::"] {
        let (server, port) = serve((wildcard, 0)).await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.set_broadcast(true).unwrap();

        for request in ["once", "later"] {
            peer.send_to(request.as_bytes(), ("127.255.255.255", port)).await.unwrap();
            let host = SocketAddr::from(([127, 0, 0, 1], port));
            assert_eq!(recv(&peer).await, (host.to_string(), host));
        }
        server.stop().await;
    }
}

// S-2
#[tokio::test]
async fn the_local_address_of_a_datagram_is_known_before_it_is_received() {
    let (asked, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let handler = conversing!(
        [asked] | peer | {
            asked.send(peer.local_addr().to_string()).unwrap();
            peer.recv().await?;
            Ok(())
        }
    );
    let server = Server::builder(Text, handler).bind("0.0.0.0:0").await.unwrap();
    let port = server.local_addr().port().unwrap();
    let server = Running::start(server).await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();

    for ip in ["127.0.0.2", "127.0.0.3"] {
        peer.send_to(b"hello", (ip, port)).await.unwrap();
        assert_eq!(within_deadline(seen.recv()).await.unwrap(), format!("{ip}:{port}"));
    }
    server.stop().await;
}
