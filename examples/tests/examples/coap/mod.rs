//! The CoAP server, and the messages that it understands.

#[path = "../../../coap/main.rs"]
#[allow(dead_code, reason = "only a program calls `main`")]
mod server;

mod blocks;
mod message;
mod messages;
mod observing;
mod requests;
#[cfg(feature = "testing")]
mod timers;

use std::{cell::Cell, net::UdpSocket};

use datagrammar::DatagramProtocol;
use message::{
    ACK, BLOCK1, BLOCK2, CON, CONTENT_FORMAT, ETAG, Message, NON, OBSERVE, RST, URI_PATH, code,
};
use server::protocol::Coap;

use crate::program::{Program, recv};

const GET: u8 = 1;
const POST: u8 = 2;
const PUT: u8 = 3;
const DELETE: u8 = 4;

/// A client with a socket of its own.
struct Client {
    socket: UdpSocket,
    next: Cell<u16>,
}

impl Client {
    fn new(addr: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(addr).unwrap();
        socket.set_read_timeout(Some(crate::program::DEADLINE)).unwrap();
        Self { socket, next: Cell::new(0x1000) }
    }

    /// A confirmable request with a message ID and a token of its own.
    fn request(&self, method: u8, path: &str) -> Message {
        let id = self.next.get();
        self.next.set(id + 1);
        let mut request = Message::new(CON, method, id, &[7, id as u8]);
        request.options = path.split('/').map(|part| (URI_PATH, part.into())).collect();
        request
    }

    fn send(&self, message: &Message) {
        self.socket.send(&bytes(message)).unwrap();
    }

    fn recv(&self) -> Message {
        read(&recv(&self.socket))
    }

    /// Sends a request; returns the response in its acknowledgment.
    fn ask(&self, request: &Message) -> Message {
        self.send(request);
        let response = self.recv();
        let expected = (ACK, request.id, &request.token);
        assert_eq!((response.kind, response.id, &response.token), expected, "{response:?}");
        response
    }

    fn get(&self, path: &str) -> Message {
        self.ask(&self.request(GET, path))
    }

    fn put(&self, path: &str, content: &[u8]) -> u8 {
        let mut request = self.request(PUT, path);
        request.payload = content.to_vec();
        self.ask(&request).code
    }

    fn delete(&self, path: &str) -> u8 {
        self.ask(&self.request(DELETE, path)).code
    }

    /// Asserts that the server has sent nothing that was not received.
    fn expect_nothing(&self) {
        let ping = Message::new(CON, 0, self.request(0, "").id, &[]);
        self.send(&ping);
        assert_eq!(self.recv(), Message::new(RST, 0, ping.id, &[]));
    }
}

fn start() -> (Program, String) {
    let program = Program::start("coap", ["127.0.0.1:0"]);
    let addr = program.addr();
    (program, addr)
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut datagram = Vec::new();
    Coap.encode(&message.into(), &mut datagram).unwrap();
    datagram
}

fn read(datagram: &[u8]) -> Message {
    Coap.decode(datagram).unwrap().into()
}

/// Bytes of this length that do not repeat soon.
fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
