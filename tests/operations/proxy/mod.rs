//! The PROXY protocol: clients behind load balancers.

mod binding;
mod everywhere;
mod header;
mod loopback;
mod overload;
mod parsing;
mod ways;

use std::{future::Future, time::Duration};

use datagrammar::{
    Addr, Bytes, Client, DropReason, IpNetwork, Raw, Server, ServerBuilder, ServerHandle, Text,
    testing::{Conditions, MemorySocket, Network},
};

/// The networks of the proxies in these tests.
pub fn trusted() -> [IpNetwork; 2] {
    ["10.0.0.0/8".parse().unwrap(), "127.0.0.1".parse().unwrap()]
}

/// Answers with the address of the peer and its text.
pub async fn who(text: String, peer: Addr) -> String {
    format!("{peer} {text}")
}

pub fn builder() -> ServerBuilder<Text> {
    Server::builder(Text, who).trust_proxy(trusted())
}

/// A network with a server in it.
pub struct Net {
    pub network: Network,
    pub handle: ServerHandle,
    server: Addr,
}

impl Net {
    pub async fn serve<P>(builder: ServerBuilder<P>) -> Self {
        let network = Network::new(1, Conditions::default());
        let socket: MemorySocket = network.bind("10.9.9.9:53").unwrap();
        let server = builder.bind(socket).await.unwrap();
        let (handle, addr) = (server.handle(), server.local_addr());
        server.spawn();
        assert!(handle.ready().await);
        Self { network, handle, server: addr }
    }

    /// A socket at this address, which sends any bytes to the server.
    pub async fn at(&self, addr: &str) -> Client<Raw> {
        let socket = self.network.connect(addr, self.server.socket_addr().unwrap()).unwrap();
        Client::connect(socket, Raw).await.unwrap()
    }

    pub fn refused(&self) -> u64 {
        self.handle.stats().dropped(DropReason::ProxyHeader)
    }

    /// Waits until the server has received so many datagrams, and has worked on them.
    pub async fn received(&self, datagrams: u64) {
        until(|| {
            let stats = self.handle.stats();
            stats.received == datagrams && stats.delivered + stats.total_dropped() == datagrams
        })
        .await;
    }
}

/// Waits for an effect.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(wait).await;
}

/// Fails instead of hanging.
pub async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it comes in time")
}

pub async fn send(socket: &Client<Raw>, datagram: impl Into<Vec<u8>>) {
    socket.send(Bytes::from(datagram.into())).await.unwrap();
}

/// The next datagram, as text.
pub async fn recv(socket: &Client<Raw>) -> String {
    String::from_utf8(within(socket.recv()).await.unwrap().to_vec()).unwrap()
}
