//! The client without async: one protocol and one peer.

mod builder;
mod endpoint;
mod link;
mod packets;
mod shared;
mod wait;

pub use endpoint::Client;
pub use packets::Packets;
