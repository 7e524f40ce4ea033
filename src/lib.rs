//! Typed datagram protocols for tokio.
//!
//! A [protocol](DatagramProtocol) turns packets into datagrams and back, one to one. A
//! [handler](Handler) talks to one peer in plain `async` code: it receives typed requests one after
//! another, in order, with timeouts. A [server](Server) joins the two. A [client](Client) is the
//! other side.
//!
//! # A server
//!
//! ```no_run
//! # #[cfg(feature = "json")] mod example {
//! use datagrammar::{BoxError, Json, Server};
//!
//! /// Answers each list of numbers with their sum.
//! async fn sum(numbers: Vec<f64>) -> f64 {
//!     numbers.iter().sum()
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let server = Server::builder(Json::new(), sum).bind("[::]:9000").await?;
//!     Ok(server.serve().await?)
//! }
//! # }
//! ```
//!
//! # A client
//!
//! ```no_run
//! # #[cfg(feature = "json")] mod example {
//! use datagrammar::{BoxError, Json, Client};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let client = Client::connect("localhost:9000", Json::<f64, Vec<f64>>::new()).await?;
//!     client.send(&vec![1.5, 2.5]).await?;
//!     println!("{}", client.recv().await?);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # The map
//!
//! - What is on the wire: [`DatagramProtocol`]; the codecs [`Raw`], [`Text`], [`TextLine`], `Json`,
//!   `Cbor`, `Msgpack`, `Postcard`, `Bincode`, `Fixed`, `Protobuf`, and those of tokio-util as a
//!   `StreamCodec`; [`Converter`] puts types of your domain around those on the wire; [`Split`] receives by
//!   one protocol and sends by another, and [`or`](DatagramProtocol::or) has several on one port.
//! - What changes bytes around a codec: a [`Layer`], such as [`Prefix`], `Zlib`, `Bzip2`, `Zstd`, `Lz4`,
//!   `Base64`, `Sha256Digest`, `Crc32c`.
//! - Who is heard: the layers `Signed` and `Sealed` with their keys; [`ReplayWindow`], for a handler to keep.
//! - Who serves: a plain `async fn(Request) -> Response` or another of the [forms of functions](Handler#functions),
//!   [`with_state`] and [`concurrent`] among them; or a [`Handler`], which talks to a [`Peer`] for as long as it
//!   wants, and keeps a [`PeerSender`] to push packets later. [`BoxHandler`] is any of them.
//! - What runs: [`Server`]; [`ServerContext`] is what a handler sees when it starts, [`ServerHandle`] what
//!   operators guard: shutdown, drain, [`ServerStats`], an [`Diagnostics`]. A [`Spawner`] starts background tasks. [`Limits`] bound what strangers can
//!   cost. A [`SocketRef`] is for socket options that have no setter; [`Interface`] is for multicast, and
//!   [`TrafficClass`] tells how a datagram was marked.
//! - The other side: [`Client`], [`Packets`].
//! - What goes wrong: [`RecvError`], [`SendError`], [`ServeError`], [`SpawnError`]; below them [`DecodeError`] and
//!   [`EncodeError`].
//! - Tests, in the module `testing`: under packet loss, on a network in memory; of a protocol of your own,
//!   for what every protocol promises.
//!
//! # Features
//!
//! - `json` (default), `cbor`, `msgpack`, `postcard`, `bincode`: packets of serde types in the wire format of
//!   that name. `fixed`: packets of a fixed layout. `protobuf`: packets as Protocol Buffers.
//! - `tokio-codec`: codecs of tokio-util as protocols.
//! - `zlib`, `bzip2`, `zstd`, `lz4`: layers that compress. `base64`: a layer that makes text. `sha256`,
//!   `crc32c`: layers that find accidents. `signed`, `sealed`: layers with keys.
//! - `testing`: the network in memory, and checks of protocols.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod addr;
mod client;
mod engine;
mod error;
mod events;
mod handle;
mod handler;
mod hook;
mod inside;
mod limits;
mod lock;
mod panic;
mod peer;
mod serve_guard;
mod server;
mod socket;
mod stats;
#[cfg(feature = "tokio-codec")]
mod stream_codec;
mod tasks;
mod traffic_class;
mod transport;

pub use addr::Addr;
pub use client::{Client, ClientBuilder, Packets};
#[cfg(feature = "tokio-codec")]
pub use stream_codec::StreamCodec;
// All of it: which parts there are is for its features to say.
pub use datagrammar_protocols::*;
pub use error::{
    AddrError, BindError, ClientRecvError, ClientSendError, ConnectError, OptionError, RecvError,
    SendError, SenderError, ServeError, SpawnError,
};
pub use handle::{Buffer, Diagnostics, ServerContext, ServerHandle, SocketDiagnostics};
pub use handler::{
    BoxHandler, Handler, IntoHandler, concurrent, function, no_reply, reply_if, try_reply,
    with_state,
};
pub use limits::{Limits, Overflow};
pub use peer::{Peer, PeerPackets, PeerSender};
pub use server::{Server, ServerBuilder};
pub use stats::{BatchSizes, Counter, DropReason, ServerStats};
pub use tasks::Spawner;
pub use traffic_class::{Ecn, TrafficClass};
pub use transport::{
    Interface, IoMode, Offload, SocketRef, ToAddrs,
    config::{AnyTransport, Bind, Connect, Udp},
};

#[cfg(feature = "testing")]
pub mod testing {
    //! For tests: a network in memory for handlers, and [`Conformance`] for protocols of your own.
    //!
    //! The network has loss, delay, duplicates, reordering, an MTU and errors, all of them from a seed.
    //! Servers and clients on it behave as they do over UDP. Under tokio's paused clock a test that spans
    //! hours takes milliseconds, and the same seed gives the same course of events.
    //!
    //! # Examples
    //!
    //! A client that asks again until it is answered, on a network that loses every third datagram:
    //!
    //! ```
    //! use datagrammar::{Text, Client, Server, testing::{Conditions, Network}};
    //! use std::time::Duration;
    //!
    //! # #[tokio::main(flavor = "current_thread", start_paused = true)]
    //! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    //! let network = Network::new(42, Conditions::default().loss(0.33));
    //! let server = Server::builder(Text, async |text: String| text.to_uppercase())
    //!     .socket(network.bind("10.0.0.1:9000")?)?;
    //! tokio::spawn(async move { server.serve().await });
    //!
    //! let client = Client::from_socket(network.connect("10.0.0.2:0", "10.0.0.1:9000")?, Text)?;
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

    // By name, since this module hides the one that comes with all of the protocols.
    pub use datagrammar_protocols::testing::Conformance;

    pub use crate::transport::memory::{Conditions, MemorySocket, Network};
}

/// The examples of the README are tests.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// And so are those of the guide.
#[cfg(all(doctest, feature = "sealed", feature = "signed"))]
#[doc = include_str!("../docs/keys.md")]
struct Keys;

/// And those of how to write codecs.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../docs/codecs-of-your-own.md")]
struct CodecsOfYourOwn;
