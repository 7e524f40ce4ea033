//! PROXY protocol version 2: a load balancer says from whom it has got a datagram.

#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod header;
mod network;
mod trust;

pub(crate) use header::{Header, Invalid, ROOM};
pub use network::IpNetwork;
pub(crate) use trust::{Payload, Refusal, TrustedProxies};
