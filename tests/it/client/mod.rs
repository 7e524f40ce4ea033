//! Clients: section C.

mod budget;
mod close;
mod connect;
mod envelope;
mod families;
#[cfg(target_os = "linux")]
mod icmp;
mod packets;
mod receive;
mod send;
mod send_all;
mod strangers;
mod tasks;

#[cfg(target_os = "linux")]
use std::os::{fd::OwnedFd, unix::net::UnixDatagram};
use std::{net::UdpSocket, pin::Pin, task::Poll};

#[cfg(target_os = "linux")]
use datagrammar::Unix;
use datagrammar::{AnyTransport, Client, DatagramProtocol, Raw, Text};

#[cfg(target_os = "linux")]
use socket2::{Domain, SockAddr, Socket, Type};

use crate::support::{Bytes, Net, client_on, everywhere};

/// A client of text, and its peer.
pub(crate) fn client(net: &Net) -> (Client<Text>, Bytes) {
    client_of(net, Text)
}

pub(crate) fn client_of<P: DatagramProtocol>(net: &Net, protocol: P) -> (Client<P>, Bytes) {
    let (local, peer) = linked(net);
    let peer = Bytes(client_on(peer, Raw).unwrap());
    (client_on(local, protocol).unwrap(), peer)
}

/// Two sockets that are connected to each other.
fn linked(net: &Net) -> (AnyTransport, AnyTransport) {
    match net {
        Net::Memory(network) => {
            let (one, other) = ("10.0.0.1:1", "10.0.0.2:2");
            let local = network.connect(one, other).unwrap();
            (local.into(), network.connect(other, one).unwrap().into())
        }
        Net::Loopback(ip) | Net::Portable(ip) | Net::Workers(ip) | Net::Threads(ip) => {
            let (one, other) =
                (UdpSocket::bind((*ip, 0)).unwrap(), UdpSocket::bind((*ip, 0)).unwrap());
            one.connect(other.local_addr().unwrap()).unwrap();
            other.connect(one.local_addr().unwrap()).unwrap();
            (one.into(), other.into())
        }
        #[cfg(target_os = "linux")]
        Net::Unix | Net::UnixPaths => {
            let [one, other] = [(); 2].map(|()| abstract_socket());
            one.connect_addr(&other.local_addr().unwrap()).unwrap();
            other.connect_addr(&one.local_addr().unwrap()).unwrap();
            let single = matches!(net, Net::UnixPaths);
            (Unix::from(one).batch_io(!single).into(), Unix::from(other).into())
        }
    }
}

/// A Unix socket with an abstract name that the kernel has chosen.
#[cfg(target_os = "linux")]
fn abstract_socket() -> UnixDatagram {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None).unwrap();
    socket.bind(&SockAddr::unix("").unwrap()).unwrap();
    OwnedFd::from(socket).into()
}

/// Polls a future once, and asserts that it has to wait.
pub(crate) async fn waits<F: Future>(mut future: Pin<&mut F>) {
    let polled = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending()));
    assert!(polled.await, "the future did not have to wait");
}

everywhere! {
    // C-1
    async fn a_client_of_an_echo_server_is_answered_in_order(net) {
        let server = net.serve_text(async |text: String| text).await;
        let client = net.peer_of(&server.handle).await;

        for round in ["one", "two", "three"] {
            assert_eq!(client.ask(round).await, round);
        }
        for packet in ["four", "five", "six"] {
            client.send(packet).await;
        }
        for packet in ["four", "five", "six"] {
            assert_eq!(client.recv_text().await, packet);
        }
        server.stop().await;
    }

    // C-2
    async fn a_packet_reaches_the_peer_as_the_bytes_of_the_protocol(net) {
        let (client, peer) = client(&net);

        client.send(&"ABCDEF".to_owned()).await.unwrap();

        assert_eq!(peer.recv().await, b"ABCDEF");
        assert_eq!(client.local_addr(), peer.0.peer_addr());
        assert_eq!(client.peer_addr(), peer.addr());
    }
}
