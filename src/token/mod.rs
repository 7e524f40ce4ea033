//! Address tokens: a stateless proof that a peer receives what is sent to its address.
//!
//! This part has no socket, no clock and no random numbers except for new secrets: the time is an argument.

mod envelope;
mod enveloped;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod jar;
mod options;
mod peer;
mod secret;
mod secrets;
mod time;
mod validate;
mod validation;

pub(crate) use envelope::{Envelope, Reply};
pub(crate) use enveloped::{Enveloped, with_chunks};
pub(crate) use jar::{Sent, TokenJar};
pub use options::AddressTokens;
pub use peer::PeerTokens;
pub use secret::TokenSecret;
pub use secrets::TokenSecrets;
pub use validate::ValidateAddress;
pub(crate) use validation::Validation;
