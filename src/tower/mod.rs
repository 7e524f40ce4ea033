//! Services of [tower](https://docs.rs/tower): a [`Service`](tower_service::Service) as a handler, and
//! [`RequestClient`](crate::RequestClient) as a service. So tower's timeouts, limits and other middleware work in front of
//! datagrams.
//!
//! # A server
//!
//! [`service`] makes a handler of a service whose requests and responses are the packets of the protocol. `ServiceBuilder`
//! puts middleware around a function in one line:
//!
//! ```
//! use ::tower::ServiceBuilder;
//! use datagrammar::{BoxError, Client, Server, Text, tower::service};
//! use std::time::Duration;
//!
//! async fn shout(text: String) -> Result<String, BoxError> {
//!     Ok(text.to_uppercase())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let stack = ServiceBuilder::new()
//!     .concurrency_limit(64)
//!     .timeout(Duration::from_secs(1))
//!     .service_fn(shout);
//! let server = Server::bind("127.0.0.1:0", Text, service(stack)).await?;
//! let client = Client::connect(server.local_addr(), Text).await?;
//! server.spawn();
//!
//! client.send("hello".to_owned()).await?;
//! assert_eq!(client.recv().await?, "HELLO");
//! # Ok(())
//! # }
//! ```
//!
//! It combines with [`concurrent`](crate::concurrent) and [`tagged`](crate::tagged) as a function does:
//! `concurrent(16, tagged(service(stack)))`. Without `concurrent`, the server calls the service for one request of a peer at
//! a time, and for any number of peers.
//!
//! # Each request gets a clone
//!
//! For each request, the handler clones the service, waits until this clone is ready, and calls this same clone. So
//! everything that all requests share must be shared by the clones, as tower's middleware does: all clones of a
//! `ConcurrencyLimit` have the same places. A `RateLimit` cannot be cloned, so put a `buffer` in front of it. A service that
//! connects when it becomes ready would connect for each request: put a `buffer` in front of it too.
//!
//! # When the service is not ready
//!
//! A client repeats a request that is not answered, and a request that waits for longer than the client does is work
//! for nobody. So a request waits for the service for at most [`ready_timeout`](ServiceHandler::ready_timeout), 100 ms by
//! default. After that it is dropped, counted as [`DropReason::Busy`](crate::DropReason::Busy), and the first one is logged
//! at WARN. Until then it waits in the queue of its peer, where all [limits](crate::Limits) hold: it is not decoded, and the
//! [reply cache](crate::ReplyCache) forgets it if it is dropped. So its repetition is a new request. If
//! [`Limits::max_queue_time`](crate::Limits::max_queue_time) is shorter, that is the limit, and the request counts as
//! [`DropReason::Late`](crate::DropReason::Late).
//!
//! | you want | use |
//! | --- | --- |
//! | a request waits for at most 100 ms | the default |
//! | to drop a request at once | `ready_timeout(Duration::ZERO)` |
//! | to let `n` requests wait without a time limit | `buffer(n)` as the outermost layer |
//! | to tell the client that the server is busy | `load_shed()`, and a layer around it that makes a response of its error |
//!
//! With `load_shed`, the service is always ready, so no request is dropped as busy.
//!
//! With a [reply store](crate::ReplyStore), a request that waits for the store keeps its place in the service, for up to
//! [`store_timeout`](crate::ReplyCache::store_timeout), 1 s by default. So while the store is slow, other peers can find a
//! `ConcurrencyLimit` full, and their requests are dropped as busy.
//!
//! # Errors and panics
//!
//! They are the same as those of a [function](crate::Handler#functions). An error of the service, such as the `Elapsed` of
//! a timeout, is logged at ERROR and counted as [`failed`](crate::ServerStats::failed), and nothing is sent. To answer with
//! an error, make a response of it with `ServiceExt::then`. If the service fails while it is not ready, the request is
//! counted as [`DropReason::Unread`](crate::DropReason::Unread) too. A panic of `poll_ready`, `call` or the future is
//! counted as [`panicked`](crate::ServerStats::panicked), and serving goes on.
//!
//! # The address of the peer
//!
//! [`service_with_addr`] makes a handler of a service whose requests are [`Request`]s: a packet and the address of its peer.
//! A service gets other things, such as a pool of connections or the [`ServerHandle`](crate::ServerHandle), in its fields, as
//! it does in axum.
//!
//! # A client
//!
//! [`RequestClient`](crate::RequestClient) is a service. It is ready when its congestion window has room for one more
//! request; that place is reserved until the clone is called or dropped.
//!
//! ```
//! use ::tower::{ServiceBuilder, ServiceExt};
//! use datagrammar::{BoxError, RequestClient, Server, Tagged, TaggedServer, Text, tagged};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let shout = tagged(async |text: String| text.to_uppercase());
//! let server = Server::bind("127.0.0.1:0", TaggedServer::new(Text), shout).await?;
//! let client = RequestClient::connect(server.local_addr(), Tagged::new(Text)).await?;
//! server.spawn();
//!
//! let client = ServiceBuilder::new()
//!     .buffer(16)
//!     .timeout(Duration::from_secs(10))
//!     .service(client);
//! assert_eq!(client.oneshot("hello".to_owned()).await?, "HELLO");
//! # Ok(())
//! # }
//! ```
//!
//! A `RequestClient` repeats a request by itself, and all repetitions are the same request for the server. The repetition
//! by tower's `Retry` is a new request: a server with a [reply cache](crate::ReplyCache) serves it again. So use `Retry`
//! only for errors after which no server can have served the request, or for requests that may be served twice.

mod handler;
mod request;

pub use handler::{
    Input, OfService, Packet, PacketAndAddr, ServiceHandler, WaitsForService, service,
    service_with_addr,
};
pub use request::Request;

pub use crate::request::ResponseFuture;
