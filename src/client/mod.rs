//! The client: one protocol and one peer.

mod arrived;
mod builder;
mod connect;
mod endpoint;
#[cfg(unix)]
mod fds;
mod link;
mod packets;
mod shared;
mod wait;

pub use builder::ClientBuilder;
pub use endpoint::Client;
pub use packets::Packets;
