//! What the tests of clients with and without async share.

use std::net::{SocketAddr, UdpSocket};

use datagrammar::{DatagramProtocol, DecodeError, EncodeError, Text};

/// Connecting to this address fails on every host, unless broadcast is enabled.
pub const IMPOSSIBLE: &str = "127.255.255.255:9000";
/// Connecting to this address fails too, because it lacks its scope.
pub const INCOMPLETE: &str = "[fe80::1]:9000";

pub fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A socket on IPv4, and its address.
pub fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Text; some words make it fail or panic.
#[derive(Clone, Copy, Debug)]
pub struct Fragile;

impl DatagramProtocol for Fragile {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        assert_ne!(datagram, b"panic");
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)?;
        assert_ne!(packet, "panic");
        if packet == "error" { Err(EncodeError::codec("this text is refused")) } else { Ok(()) }
    }
}
