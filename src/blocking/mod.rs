//! Servers and clients for programs without async.
//!
//! | you want | look at |
//! | --- | --- |
//! | a server on the thread of its caller | [`Server::serve`], [`Server::serve_until_signal`] |
//! | a server on a thread of its own | [`Server::spawn`], [`ServerThread`] |
//! | shutdown, statistics, diagnostics | [`ServerHandle`] |
//! | a handler that blocks its thread | [`handler`] |
//! | a client | [`Client`], [`Packets`] |
//! | requests that survive loss | [`RequestClient`]; without ids in the packets, [`Client::exchange`] |
//! | options | [`ServerBuilder::bind_blocking`], [`ClientBuilder::connect_blocking`] |
//!
//! Protocols, transports, limits and errors are those of the async API. So is a handler: a type that
//! implements [`Handler`](crate::Handler), or an `async` function. A blocking server runs it on a runtime of
//! its own. A client has neither a
//! runtime nor a thread, and a request client has both.
//!
//! Nothing here can be used inside an async runtime, where a call that blocks would stop other tasks: the
//! calls return an error that says so. The closure of `tokio::task::spawn_blocking` counts as inside. The
//! exception is [`handler`], which works in async servers too.
//!
//! # Examples
//!
//! ```
//! use datagrammar::{Text, blocking};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), datagrammar::BoxError> {
//! let upper = blocking::handler(|text: String| text.to_uppercase());
//! let server = blocking::Server::bind("127.0.0.1:0", Text, upper)?;
//! let addr = server.local_addr();
//! let mut thread = server.spawn()?;
//!
//! let client = blocking::Client::connect(addr, Text)?;
//! client.send("hello".to_owned())?;
//! assert_eq!(client.recv_timeout(Duration::from_secs(5))?, "HELLO");
//! thread.join()?;
//! # Ok(())
//! # }
//! ```

mod block_on;
mod client;
mod on_threads;
mod request;
mod server;

pub use client::{Client, ClientExchange, Packets};
pub use on_threads::{OnThread, OnThreads, Returned, ThreadPermit, WaitsForThread, handler};
pub use request::RequestClient;
pub use server::{Server, ServerHandle, ServerThread};

#[cfg(doc)]
use crate::{ClientBuilder, ServerBuilder};
