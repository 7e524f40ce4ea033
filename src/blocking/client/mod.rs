//! The client without async: one protocol and one peer.

mod builder;
mod endpoint;
mod envelope;
mod exchange;
#[cfg(unix)]
mod fds;
mod link;
mod packets;
mod shared;
mod turns;
#[cfg(unix)]
mod unix;
mod wait;

pub use endpoint::Client;
pub use exchange::ClientExchange;
pub use packets::Packets;
