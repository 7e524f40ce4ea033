//! The client: one protocol and one peer.

mod arrived;
mod builder;
mod connect;
mod endpoint;
mod link;
mod packets;
mod shared;
mod wait;

pub use builder::ClientBuilder;
pub use endpoint::Client;
pub use packets::Packets;
