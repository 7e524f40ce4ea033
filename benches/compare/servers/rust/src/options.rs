//! What the command line says, and the socket that all servers bind in the same way.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use socket2::{Domain, Socket, Type};

pub struct Options {
    port: u16,
    pairs: HashMap<String, String>,
}

impl Options {
    pub fn new(port: u16, pairs: HashMap<String, String>) -> Self {
        Self { port, pairs }
    }

    pub fn number(&self, key: &str, default: usize) -> usize {
        let value = self.pairs.get(key);
        value.map_or(default, |value| {
            value.parse().unwrap_or_else(|_| panic!("{key}={value} is not a number"))
        })
    }

    pub fn is(&self, key: &str, value: &str) -> bool {
        self.pairs.get(key).is_some_and(|given| given == value)
    }

    /// Datagrams of one system call: `batch` (64).
    pub fn batch(&self) -> usize {
        self.number("batch", 64)
    }

    /// Binds 127.0.0.1, and asks for buffers of 4 MiB, as our server does. `reuseport=1` lets several sockets
    /// share the port.
    pub fn bind(&self) -> UdpSocket {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        let size = self.number("rcvbuf", 4 << 20);
        // What the system does not grant, no server here gets.
        let _ = socket.set_recv_buffer_size(size);
        let _ = socket.set_send_buffer_size(size);
        if self.is("reuseport", "1") {
            socket.set_reuse_port(true).expect("SO_REUSEPORT");
        }
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        socket.bind(&addr.into()).unwrap_or_else(|error| panic!("cannot bind {addr}: {error}"));
        socket.into()
    }
}
