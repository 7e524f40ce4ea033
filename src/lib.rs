//! Typed datagram protocols for tokio.
//!
//! A [protocol](DatagramProtocol) turns packets into datagrams and back, one to one. A
//! [handler](Handler) talks to one peer in plain `async` code: it receives typed requests one after
//! another, in order, with timeouts. A [server](Server) joins the two, over UDP and other
//! [transports](Bind). A [client](Client) is the other side.
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
//!     let server = Server::bind("[::]:9000", Json::new(), sum).await?;
//!     Ok(server.serve().await?)
//! }
//! # }
//! ```
//!
//! # A client
//!
//! ```no_run
//! # #[cfg(feature = "json")] mod example {
//! use datagrammar::{BoxError, Client, Json};
//! use std::time::Duration;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let client = Client::connect("localhost:9000", Json::<f64, Vec<f64>>::new()).await?;
//!     client.send(vec![1.5, 2.5]).await?;
//!     // A datagram can be lost, so wait no longer than an answer can take.
//!     println!("{}", client.recv_timeout(Duration::from_secs(1)).await?);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # The map
//!
//! - **Protocols**: [`DatagramProtocol`]; the codecs [`Raw`], [`Text`], [`TextLine`], `Json`, `Cbor`, `Msgpack`,
//!   `Postcard`, `Bincode`, `Fixed`, `Protobuf`, and those of tokio-util as a `StreamCodec`. A [`Converter`] puts
//!   types of your domain around the packets; [`Split`] receives by one protocol and sends by another, and
//!   [`or`](DatagramProtocol::or) has several protocols on one port.
//! - **Layers** change the bytes around a codec: [`Layer`], [`Prefix`], `Zlib`, `Bzip2`, `Zstd`, `Lz4`, `Base64`,
//!   `Sha256Digest`, `Crc32c`; `Signed` and `Sealed` authenticate with their keys. A handler may keep a
//!   [`ReplayWindow`].
//! - **Handlers**: [`Handler`], or a [function](Handler#functions) in one of several forms: plain, with
//!   [shared state](with_state), with the peer's address, [`reply_if`], [`try_reply`], [`no_reply`],
//!   [`concurrent`]. [`BoxHandler`] is one chosen at run time. A handler talks to a [`Peer`], and keeps a
//!   [`PeerSender`] to push packets later.
//! - **Servers**: [`Server`], with options by a [`ServerBuilder`]. [`ServerContext`] is what a handler receives
//!   when it starts, [`ServerHandle`] what operators hold: shutdown, drain, [`ServerStats`],
//!   [`Diagnostics`]. A [`Spawner`] starts background tasks. [`Limits`] bound what a stranger can cost.
//! - **Clients**: [`Client`], with options by a [`ClientBuilder`]; [`Packets`], [`ClientStats`].
//! - **Transports** are values that servers and clients are given: an address in any form of [`ToAddrs`],
//!   [`Udp`] with its options, a socket of yours, [`AnyTransport`], several of these: see [`Bind`] and
//!   [`Connect`]. An [`Addr`] is the address of a peer or a socket. A [`SocketRef`] is for options that have no
//!   setter; [`Interface`] is for multicast, and [`TrafficClass`] is how a datagram was marked.
//! - **Errors**: [`BindError`], [`ServeError`], [`RecvError`], [`SendError`], [`SenderError`], [`SpawnError`] of
//!   servers; [`ConnectError`], [`ClientRecvError`], [`ClientSendError`] of clients; below them [`AddrError`],
//!   [`OptionError`], [`DecodeError`] and [`EncodeError`].
//! - **Tests**, in the module `testing`: a network in memory that loses packets, and checks of a protocol of your
//!   own for what every protocol promises.
//!
//! # Feature flags
//!
//! - `json` (default), `cbor`, `msgpack`, `postcard`, `bincode`: packets of serde types in the wire format of
//!   that name. `fixed`: packets of a fixed layout. `protobuf`: packets as Protocol Buffers.
//! - `tokio-codec`: codecs of tokio-util as protocols.
//! - `zlib`, `bzip2`, `zstd`, `lz4`: layers that compress. `base64`: a layer that makes text. `sha256`,
//!   `crc32c`: layers that detect accidental changes. `signed`, `sealed`: layers with keys.
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
// Each by its name, so that the compiler says which feature a missing one needs.
#[cfg(feature = "base64")]
pub use datagrammar_protocols::Base64;
#[cfg(feature = "bincode")]
pub use datagrammar_protocols::Bincode;
#[cfg(feature = "bzip2")]
pub use datagrammar_protocols::Bzip2;
#[cfg(feature = "cbor")]
pub use datagrammar_protocols::Cbor;
#[cfg(feature = "crc32c")]
pub use datagrammar_protocols::Crc32c;
#[cfg(feature = "fixed")]
pub use datagrammar_protocols::Fixed;
#[cfg(feature = "fixed")]
pub use datagrammar_protocols::FixedText;
#[cfg(feature = "json")]
pub use datagrammar_protocols::Json;
#[cfg(any(feature = "sealed", feature = "signed"))]
pub use datagrammar_protocols::KeyError;
#[cfg(feature = "lz4")]
pub use datagrammar_protocols::Lz4;
#[cfg(feature = "msgpack")]
pub use datagrammar_protocols::Msgpack;
#[cfg(feature = "postcard")]
pub use datagrammar_protocols::Postcard;
#[cfg(feature = "protobuf")]
pub use datagrammar_protocols::Protobuf;
#[cfg(feature = "sealed")]
pub use datagrammar_protocols::Sealed;
#[cfg(feature = "sealed")]
pub use datagrammar_protocols::SealingKey;
#[cfg(feature = "sha256")]
pub use datagrammar_protocols::Sha256Digest;
#[cfg(feature = "signed")]
pub use datagrammar_protocols::Signed;
#[cfg(feature = "signed")]
pub use datagrammar_protocols::SigningKey;
#[cfg(feature = "zlib")]
pub use datagrammar_protocols::Zlib;
#[cfg(feature = "zstd")]
pub use datagrammar_protocols::Zstd;
pub use datagrammar_protocols::{
    BoxError, Bytes, Choice, Claim, Convert, Converter, ConverterFn, DatagramProtocol, DecodeError,
    Either, EncodeError, ErrorKind, Layer, Layered, Prefix, Raw, ReplayWindow, Split, Text,
    TextLine, TryConvert, When, converter_fn, first_byte,
};
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
pub use server::{Binding, Server, ServerBuilder};
pub use stats::{BatchSizes, ClientStats, Counter, DropReason, ServerStats};
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
    //! hours takes milliseconds, and the same seed gives the same sequence of events.
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
    //! let upper = async |text: String| text.to_uppercase();
    //! let server = Server::bind(network.bind("10.0.0.1:9000")?, Text, upper).await?;
    //! server.spawn();
    //!
    //! let socket = network.connect("10.0.0.2:0", "10.0.0.1:9000")?;
    //! let client = Client::connect(socket, Text).await?;
    //! let answer = loop {
    //!     client.send("hello".to_owned()).await?;
    //!     if let Ok(answer) = client.recv_timeout(Duration::from_secs(1)).await {
    //!         break answer;
    //!     }
    //! };
    //! assert_eq!(answer, "HELLO");
    //! # Ok(())
    //! # }
    //! ```

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
