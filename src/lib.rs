//! Typed datagram protocols for tokio.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod addr;
mod client;
mod error;
mod events;
mod figures;
mod handler;
mod limits;
mod panic;
mod peer;
mod server;
mod service;
mod transport;

pub use addr::PeerAddr;
pub use client::{Packets, UdpClient, UdpClientBuilder};
pub use error::{RecvError, SendError, ServeError};
pub use figures::{DropReason, Figures};
pub use handler::{BoxHandler, Handler, ReplyIf, reply_if};
pub use limits::{Limits, Overflow};
pub use peer::{Peer, PeerSender};
pub use server::{BindAddrs, UdpServer, UdpServerBuilder};
pub use service::{ServerHandle, Service};
pub use transport::socket::BoundSocket;

pub use datagrammar_protocols::*;

#[cfg(feature = "testing")]
pub mod testing {
    //! A network in memory, to test handlers on: with loss, delay, duplicates, reordering, an MTU and
    //! errors, all of them from a seed.
    //!
    //! Servers and clients on it behave as they do over UDP. Under tokio's paused clock a test that spans
    //! hours takes milliseconds, and the same seed gives the same course of events.
    //!
    //! # Examples
    //!
    //! A client that asks again until it is answered, on a network that loses every third datagram:
    //!
    //! ```
    //! use datagrammar::{Text, UdpClient, UdpServer, testing::{Conditions, Network}};
    //! use std::time::Duration;
    //!
    //! # #[tokio::main(flavor = "current_thread", start_paused = true)]
    //! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    //! let network = Network::new(42, Conditions::default().loss(0.33));
    //! let server = UdpServer::builder(Text, async |text: String| text.to_uppercase())
    //!     .socket(network.bind("10.0.0.1:9000")?)?;
    //! tokio::spawn(async move { server.serve().await });
    //!
    //! let client = UdpClient::from_socket(network.connect("10.0.0.2:0", "10.0.0.1:9000")?, Text)?;
    //! let answer = loop {
    //!     client.send(&"hello".to_owned()).await?;
    //!     if let Ok(answer) = client.recv_timeout(Duration::from_secs(1)).await {
    //!         break answer;
    //!     }
    //! };
    //! assert_eq!(answer, "HELLO");
    //! # Ok(())
    //! # }
    //! ```

    pub use crate::transport::memory::{Conditions, MemorySocket, Network};
}
