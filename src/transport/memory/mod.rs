//! A network in memory; public as [`testing`](crate::testing).

mod conditions;
mod network;
mod socket;

pub use conditions::Conditions;
pub use network::Network;
pub use socket::MemorySocket;
