//! The client: one protocol and one peer.

pub(crate) mod arrived;
mod builder;
pub(crate) mod connect;
mod endpoint;
mod envelope;
pub(crate) mod error_queue;
mod exchange;
#[cfg(unix)]
mod fds;
pub(crate) mod link;
mod packets;
mod shared;
mod wait;

pub use builder::ClientBuilder;
pub use endpoint::Client;
pub use exchange::ClientExchange;
#[cfg(feature = "blocking")]
pub(crate) use packets::LATE;
pub use packets::Packets;
