//! The server: one protocol and one handler, on one socket or several.

mod bind;
mod builder;
mod endpoint;
mod multicast;
mod run;
mod serve;

pub use builder::{Binding, ServerBuilder};
pub use endpoint::Server;
