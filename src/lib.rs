//! Typed datagram protocols for tokio.
//!
//! A *datagram* is the bytes that the network carries in one piece. A *packet* is the typed value that a datagram
//! stands for. A [protocol](DatagramProtocol) turns packets into datagrams and back: one datagram is one packet. A
//! [handler](Handler) talks to one peer in plain `async` code: it receives typed requests one after another, in
//! order, with timeouts. A [server](Server) joins the two over UDP, Unix sockets and other [transports](Bind). A
//! [client](Client) is the other side. Programs without async use both from the module [`blocking`].
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
//!     // A datagram can be lost, so set a timeout.
//!     println!("{}", client.recv_timeout(Duration::from_secs(1)).await?);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # Where to find things
//!
//! | you want | look at |
//! | --- | --- |
//! | to serve requests | [`Server`], [`ServerBuilder`]; a [function](Handler#functions) or a [`Handler`] that holds a conversation with a [`Peer`] |
//! | to send requests | [`Client`], [`ClientBuilder`], [`Packets`] |
//! | servers and clients in a program without async | the module [`blocking`] |
//! | a handler that blocks its thread | [`blocking::handler`] |
//! | timeouts, limits and other middleware of tower | the module [`tower`] |
//! | to share state between calls | [`with_state`] |
//! | to know the peer's address in a function | a [function](Handler#functions) with a second argument, an [`Addr`] |
//! | to serve several requests from one peer at once | [`concurrent`] |
//! | to send nothing for some requests | [`reply_if`], [`try_reply`], [`no_reply`] |
//! | requests that are repeated until they are answered, with ids in the packets | [`RequestClient`], [`Correlated`], [`Tagged`], [`TaggedServer`] with [`tagged`], [`LockStep`] |
//! | the same without ids: to send a packet again and again until the next packet arrives | [`Client::exchange`], [`Peer::exchange`], [`Repeat`], [`Duplicates`], [`ClientExchange`], [`PeerExchange`] |
//! | to push packets to a peer later | [`PeerSender`], [`ServerHandle::sender`] |
//! | background tasks and clean-ups | [`ServerContext`], [`Spawner`] |
//! | an HTTP endpoint for probes, metrics and diagnostics | the module [`admin`], [`BlockedWorker`] |
//! | to end gracefully after SIGTERM, behind a load balancer | [`Server::serve_until_signal`], [`ServerHandle::terminate`], [`Termination`] |
//! | shutdown, statistics, diagnostics | [`ServerHandle`], [`ServerStats`], [`DropReason`], [`ClientStats`], [`Diagnostics`] |
//! | metrics for Prometheus | [`ServerStats::to_prometheus`], [`PrometheusPage`], the module [`metrics`]; [what they mean](_documentation::metrics) |
//! | packets that are longer than one datagram | [`Chunked`] |
//! | to serve a repeated request once | [`ReplyCache`], [`ServerBuilder::reply_cache`] |
//! | the same with several servers, or after a restart | [`ReplyStore`], [`ServerBuilder::reply_store`], [`StoredRequest`], [`Begun`], [`StoreFailure`]; [with Redis or NATS](_documentation::replicas) |
//! | the clients behind a load balancer, by the PROXY protocol | [`ServerBuilder::trust_proxy`], [`IpNetwork`], [`Addr::proxy`] |
//! | bounds on what a remote peer can consume | [`Limits`], [`ServerBuilder::source_filter`] |
//! | proof that a peer has the address that its datagrams come from | [`AddressTokens`], [`TokenSecret`], [`TokenSecrets`]; [`ValidateAddress`] with [`PeerTokens`], for protocols that have a place for a token |
//! | Unix sockets | [`Unix`], [`UnnamedPeers`]; [differences to UDP](_documentation::cookbook#unix-sockets) |
//! | to pass file descriptors, to know the user of a peer | [`Unix::fd_passing`], [`Peer::recv_with_fds`], [`Peer::send_with_fds`], [`Peer::credentials`], [`Credentials`] |
//! | a service of systemd, sockets of a parent process | [`Inherited`], [`systemd`] |
//! | to restart without losing a datagram | [`TakeOver`], [`ServerHandle::hand_over`]; [the ways](_documentation::restarts) |
//! | socket options, other transports, several sockets | [`Udp`], [`Bind`], [`Connect`], [`AnyTransport`], [`SocketRef`], [`Interface`], [`TrafficClass`] |
//! | a codec | [`Raw`], [`Text`], [`TextLine`], [`Json`], [`Cbor`], [`Msgpack`], [`Postcard`], [`Bincode`], [`BincodeDerive`], [`Fixed`], [`Protobuf`], [`StreamCodec`]; [how to choose](_documentation::codecs) |
//! | compression, checksums, text | [`Zlib`], [`Zstd`], [`Lz4`], [`Bzip2`], [`Crc32c`], [`Sha256Digest`], [`Base64`], [`Prefix`]; [in which order](_documentation::layers) |
//! | authentication, encryption | [`Signed`], [`Sealed`], [`ReplayWindow`]; [keys](_documentation::keys) |
//! | your own types instead of those on the wire | [`DatagramProtocol::convert`], [`Converter`] |
//! | one protocol to receive and another to send, several on one port | [`Split`], [`DatagramProtocol::or`] |
//! | a protocol of your own | [`DatagramProtocol`], [`Layer`]; [how to write one](_documentation::codecs_of_your_own) |
//! | tests | [`testing`]: a network in memory, and [`Conformance`](testing::Conformance) |
//! | a program for a common task | [the cookbook](_documentation::cookbook) |
//! | the reason why a server does not answer | [a list of checks](_documentation::troubleshooting) |
//!
//! # Errors
//!
//! Each operation has its own error type: [`BindError`], [`ServeError`], [`RecvError`], [`SendError`], [`PeerExchangeError`],
//! [`SenderError`] and [`SpawnError`] of servers; [`ConnectError`], [`ClientRecvError`], [`ClientSendError`],
//! [`ClientExchangeError`] and [`RequestError`] of clients. They contain
//! [`AddrError`], [`OptionError`], [`InheritedError`], [`TakeOverError`], [`DecodeError`] and [`EncodeError`]. [`KeyError`] is
//! the error of a key, [`IpNetworkError`] that of a network, and [`TokenSecretError`] that of a secret of address tokens. `?`
//! converts each of them to [`BoxError`].
//!
//! # Feature flags
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `json` (default), `cbor`, `msgpack`, `postcard`, `bincode` | a codec for serde types in the wire format of that name |
//! | `bincode-derive` | [`BincodeDerive`], for types that derive bincode's own traits |
//! | `fixed` | [`Fixed`], for packets whose fields have a fixed size |
//! | `protobuf` | [`Protobuf`], for types of prost |
//! | `tokio-codec` | [`StreamCodec`], for codecs of tokio-util |
//! | `zlib`, `zstd`, `lz4`, `bzip2` | layers that compress |
//! | `crc32c`, `sha256` | layers that detect accidental changes |
//! | `base64` | a layer that makes text |
//! | `signed`, `sealed` | layers that authenticate and encrypt |
//! | `admin` | the module [`admin`]: the admin endpoint, HTTP pages for operators, on axum |
//! | `blocking` | the module [`blocking`]: servers and clients without async |
//! | `signal` | [`Server::serve_until_signal`]: SIGTERM and Ctrl-C end the server gracefully |
//! | `systemd` | the module [`systemd`], on Linux |
//! | `metrics` | the module [`metrics`]: statistics for the exporter of your program |
//! | `testing` | the module [`testing`] |
//! | `tower` | the module [`tower`]: services of tower as handlers, and [`RequestClient`] as a service |

#![cfg_attr(docsrs, feature(doc_cfg))]
// The pages of docs.rs have all features; without some, links to what they bring lead nowhere.
#![cfg_attr(
    not(all(
        target_os = "linux",
        feature = "admin",
        feature = "base64",
        feature = "bincode",
        feature = "bincode-derive",
        feature = "blocking",
        feature = "bzip2",
        feature = "cbor",
        feature = "crc32c",
        feature = "fixed",
        feature = "json",
        feature = "lz4",
        feature = "metrics",
        feature = "msgpack",
        feature = "postcard",
        feature = "protobuf",
        feature = "sealed",
        feature = "sha256",
        feature = "signal",
        feature = "signed",
        feature = "systemd",
        feature = "testing",
        feature = "tokio-codec",
        feature = "tower",
        feature = "zlib",
        feature = "zstd",
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// The examples of the chapters need most features, so they are tested with all of them. The pages are there with any.
#[cfg_attr(docsrs, doc(auto_cfg = false))]
#[cfg(all(
    doc,
    any(
        not(doctest),
        all(
            target_os = "linux",
            feature = "admin",
            feature = "base64",
            feature = "blocking",
            feature = "bzip2",
            feature = "cbor",
            feature = "fixed",
            feature = "json",
            feature = "metrics",
            feature = "sealed",
            feature = "sha256",
            feature = "signed",
            feature = "systemd",
            feature = "testing",
            feature = "tokio-codec",
            feature = "tower",
            feature = "zlib",
        )
    )
))]
pub mod _documentation;
mod addr;
#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "blocking")]
pub mod blocking;
mod chunk;
mod client;
mod client_envelope;
mod engine;
mod error;
mod events;
mod exchange;
mod guard;
mod handle;
mod handler;
#[cfg(unix)]
mod handover;
mod hook;
mod inside;
mod limits;
mod lock;
#[cfg(feature = "metrics")]
pub mod metrics;
mod panic;
mod peer;
mod proxy;
mod queue_time;
mod reply_cache;
mod request;
mod serve_guard;
mod server;
#[cfg(feature = "signal")]
mod signals;
mod socket;
mod stats;
#[cfg(feature = "tokio-codec")]
mod stream_codec;
#[cfg(all(feature = "systemd", target_os = "linux"))]
pub mod systemd;
mod tasks;
mod timing;
mod token;
#[cfg(feature = "tower")]
pub mod tower;
mod traffic_class;
mod transport;

/// Collects chunks as a server does, for the fuzzer.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_chunks(input: &[u8]) {
    chunk::fuzz::run(input);
}

/// Reads headers of proxies, for the fuzzer.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_proxy_headers(input: &[u8]) {
    proxy::fuzz::run(input);
}

/// Reads tokens and their envelopes, for the fuzzer.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_tokens(input: &[u8]) {
    token::fuzz::run(input);
}

pub use addr::Addr;
pub use chunk::Chunked;
pub use client::{Client, ClientBuilder, ClientExchange, Packets};
#[cfg(feature = "tokio-codec")]
pub use stream_codec::StreamCodec;
// Each by its name, so that the compiler says which feature a missing one needs.
#[cfg(feature = "base64")]
pub use datagrammar_protocols::Base64;
#[cfg(feature = "bincode")]
pub use datagrammar_protocols::Bincode;
#[cfg(feature = "bincode-derive")]
pub use datagrammar_protocols::BincodeDerive;
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
    BoxError, Bytes, Choice, Claim, Convert, Converter, ConverterFn, Correlated, DatagramProtocol,
    DecodeError, Either, EncodeError, ErrorKind, Layer, Layered, LockStep, Pattern, Prefix, Raw,
    ReplayWindow, Shape, Shaped, Split, Tagged, TaggedRequest, TaggedResponse, TaggedServer, Text,
    TextLine, TryConvert, When, converter_fn, first_byte,
};
pub use error::{
    AddrError, BindError, ClientExchangeError, ClientRecvError, ClientSendError, ConnectError,
    IpNetworkError, LimitError, OptionError, PeerExchangeError, RecvError, RequestError, SendError,
    SenderError, ServeError, SpawnError, TokenSecretError,
};
#[cfg(unix)]
pub use error::{InheritedError, TakeOverError};
pub use exchange::{Duplicates, Repeat};
pub use guard::{Guard, RateLimit};
pub use handle::{
    BlockedWorker, Buffer, Diagnostics, ServerContext, ServerHandle, SocketDiagnostics, Termination,
};
pub use handler::{
    BoxHandler, Handler, IntoHandler, concurrent, function, no_reply, reply_if, tagged, try_reply,
    with_state,
};
pub use limits::{Limits, Overflow};
pub use peer::{Peer, PeerExchange, PeerPackets, PeerSender};
pub use proxy::IpNetwork;
pub use reply_cache::{Begun, ReplyCache, ReplyStore, StoreFailure, StoredRequest};
pub use request::{Idempotent, RequestClient, RequestClientBuilder, RetryBudget};
pub use server::{Binding, Server, ServerBuilder};
pub use stats::{
    BatchSizes, ClientStats, Counter, DropReason, PrometheusPage, RequestStats, RoundTrips,
    ServerStats,
};
pub use tasks::Spawner;
pub use token::{AddressTokens, PeerTokens, TokenSecret, TokenSecrets, ValidateAddress};
pub use traffic_class::{Ecn, TrafficClass};
#[cfg(unix)]
pub use transport::config::{Inherited, TakeOver};
pub use transport::{
    Interface, IoMode, Offload, SocketRef, ToAddrs, UnnamedPeers,
    config::{AnyTransport, Bind, Connect, Udp},
};
#[cfg(unix)]
pub use transport::{config::Unix, passed::Credentials};

#[cfg(feature = "testing")]
pub mod testing {
    //! For tests: a network in memory for handlers, and [`Conformance`] for protocols of your own.
    //!
    //! The network loses, delays, duplicates and reorders datagrams by chance, from a seed. It can have an MTU, and
    //! it returns errors when a test asks for them. Servers and clients on it behave as they do over UDP. Under
    //! tokio's paused clock, a test of several hours takes milliseconds, and the same seed gives the same sequence of
    //! events.
    //!
    //! # Examples
    //!
    //! A client that repeats its request until it is answered, on a network that loses a third of the datagrams:
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
    //!     let _ = client.send("hello".to_owned()).await; // over UDP an error here is a loss too
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
