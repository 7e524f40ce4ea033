//! The rules of section C for clients without async.

mod close;
mod connect;
mod envelope;
mod exchange;
#[cfg(target_os = "linux")]
mod icmp;
mod packets;
mod receive;
mod send;
mod threads;
#[cfg(target_os = "linux")]
mod unix;

use std::net::{SocketAddr, UdpSocket};

use datagrammar::{DatagramProtocol, Text, blocking::Client};

use super::{DEADLINE, ask, bind, client_of, echo, hear};

/// The peer of a client, without a protocol.
struct Peer {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Peer {
    fn send(&self, datagram: impl AsRef<[u8]>) {
        self.socket.send_to(datagram.as_ref(), self.to).unwrap();
    }

    /// Returns the next datagram, which must come within the deadline.
    fn recv(&self) -> Vec<u8> {
        let mut datagram = vec![0; 65_536];
        let (len, from) = self.socket.recv_from(&mut datagram).unwrap();
        assert_eq!(from, self.to);
        datagram.truncate(len);
        datagram
    }

    fn recv_text(&self) -> String {
        String::from_utf8(self.recv()).unwrap()
    }

    /// Whether there is nothing to receive now. On loopback a datagram arrives before `send` returns.
    fn hears_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let nothing = self.socket.recv(&mut [0]).is_err();
        self.socket.set_nonblocking(false).unwrap();
        nothing
    }
}

/// A client of text, and its peer.
fn client(ip: &str) -> (Client<Text>, Peer) {
    client_by(ip, |addr| Client::connect(addr, Text).unwrap())
}

fn client_by<P: DatagramProtocol>(
    ip: &str,
    connect: impl FnOnce(SocketAddr) -> Client<P>,
) -> (Client<P>, Peer) {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let client = connect(socket.local_addr().unwrap());
    let to = client.local_addr().socket_addr().unwrap();
    (client, Peer { socket, to })
}

const IPS: [&str; 2] = ["127.0.0.1", "::1"];

// C-1
#[test]
fn a_client_of_an_echo_server_is_answered_in_order() {
    let thread = bind(echo).spawn().unwrap();
    let client = client_of(thread.handle());

    for round in ["one", "two", "three"] {
        assert_eq!(ask(&client, round), round);
    }
    for packet in ["four", "five", "six"] {
        client.send(packet.to_owned()).unwrap();
    }
    for packet in ["four", "five", "six"] {
        assert_eq!(hear(&client), packet);
    }
}

// C-2
#[test]
fn a_packet_reaches_the_peer_as_the_bytes_of_the_protocol() {
    for ip in IPS {
        let (client, peer) = client(ip);

        client.send("ABCDEF".to_owned()).unwrap();

        // The peer checks that it comes from the local address.
        assert_eq!(peer.recv(), b"ABCDEF");
        let local = client.local_addr().socket_addr().unwrap();
        assert_eq!(local.ip().to_string(), ip);
        assert_ne!(local.port(), 0);
        assert_eq!(client.peer_addr(), peer.socket.local_addr().unwrap());
    }
}
