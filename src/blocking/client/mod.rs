//! The client without async: one protocol and one peer.

mod builder;
mod endpoint;
#[cfg(unix)]
mod fds;
mod link;
mod packets;
mod shared;
#[cfg(unix)]
mod unix;
mod wait;

pub use endpoint::Client;
pub use packets::Packets;
