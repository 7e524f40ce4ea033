//! Statistics as metrics.

#[cfg(feature = "metrics")]
mod facade;
mod page;

use datagrammar::{Client, Server, ServerHandle, Text};
use tokio::net::UdpSocket;

/// A server that serves, and has received 10 texts, 3 datagrams that are no text, and what comes after that.
pub(crate) struct Busy {
    pub(crate) handle: ServerHandle,
    pub(crate) client: Client<Text>,
}

impl Busy {
    pub(crate) async fn start() -> Self {
        let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await.unwrap();
        let (addr, handle) = (server.local_addr(), server.handle());
        server.spawn();
        assert!(handle.ready().await);
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = addr.port().unwrap();
        stranger.connect(("127.0.0.1", port)).await.unwrap();
        for _ in 0..3 {
            stranger.send(b"\xff").await.unwrap();
        }
        let busy = Self { client: Client::connect(addr, Text).await.unwrap(), handle };
        busy.ask(10).await;
        busy
    }

    /// Sends requests, each after the reply to the one before.
    pub(crate) async fn ask(&self, requests: usize) {
        for _ in 0..requests {
            self.client.send("hello".to_owned()).await.unwrap();
            assert_eq!(self.client.recv().await.unwrap(), "hello");
        }
    }

    pub(crate) async fn stop(&self) {
        self.handle.shutdown().await;
    }
}
