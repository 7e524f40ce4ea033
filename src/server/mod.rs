//! The server: one protocol and one handler, on one socket or several.

mod bind;
mod binding;
mod builder;
mod endpoint;
mod multicast;
mod options;
mod run;
mod serve;
#[cfg(unix)]
mod taking_over;
#[cfg(feature = "signal")]
mod until_signal;

pub use binding::Binding;
pub use builder::ServerBuilder;
pub use endpoint::Server;
