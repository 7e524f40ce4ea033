//! Requests that survive loss: a client that repeats them until they are answered.

mod budget;
mod builder;
mod endpoint;
mod exchange;
mod ids;
#[cfg(feature = "tower")]
mod reserved;
mod server;
#[cfg(feature = "tower")]
mod service;
mod shared;
mod slot;
mod socket;
mod transfer;
mod window;

pub use budget::RetryBudget;
pub use builder::RequestClientBuilder;
pub use endpoint::{Idempotent, RequestClient};
#[cfg(feature = "tower")]
pub use service::ResponseFuture;
