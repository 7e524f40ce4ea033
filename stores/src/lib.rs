//! Reply stores and session stores for several datagrammar servers that serve as one.
//!
//! - [`Replies`] is the [`ReplyStore`](datagrammar::ReplyStore) of a server: a handler receives each request once, whichever
//!   replica the request and its repetitions reach.
//! - [`Sessions`] keeps the typed state of conversations, so that each replica can go on with them.
//!
//! Both use a [`Store`]. There are three, and you can write another one:
//!
//! | store | feature | engine |
//! | --- | --- | --- |
#![cfg_attr(
    feature = "redis",
    doc = "| [`RedisStore`] | `redis`; with TLS `redis-tls` | Redis 7.0 or later, Valkey |"
)]
#![cfg_attr(
    not(feature = "redis"),
    doc = "| `RedisStore` | `redis`; with TLS `redis-tls` | Redis 7.0 or later, Valkey |"
)]
#![cfg_attr(
    feature = "nats",
    doc = "| [`NatsStore`] | `nats` | NATS 2.9 or later with JetStream |"
)]
#![cfg_attr(
    not(feature = "nats"),
    doc = "| `NatsStore` | `nats` | NATS 2.9 or later with JetStream |"
)]
//! | [`MemoryStore`] | | the memory of the process, for tests |
//!
//! The chapter *Two machines and more* of the documentation of `datagrammar` says when you need which, and what stands
//! in front of the replicas.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod clock;
mod digest;
mod error;
mod memory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
mod replies;
mod sessions;
mod store;
mod unique;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use error::StoreError;
pub use memory::MemoryStore;
#[cfg(feature = "nats")]
pub use nats::{NatsBucket, NatsStore};
pub use replies::{Replies, ReplyKey};
pub use sessions::{Session, SessionError, SessionStats, Sessions};
pub use store::{Created, Entry, Revision, Store};

/// Tests the example of the README.
#[cfg(all(doctest, feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
