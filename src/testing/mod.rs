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

mod conditions;
mod network;
mod socket;

pub use conditions::Conditions;
pub use network::Network;
pub use socket::MemorySocket;
