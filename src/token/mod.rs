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
mod stamped;
mod time;
mod validate;
mod validation;

#[cfg(test)]
pub(crate) use envelope::Request;
pub(crate) use envelope::{Envelope, Reply};
pub(crate) use enveloped::Enveloped;
pub(crate) use jar::TokenJar;
pub use options::AddressTokens;
pub use peer::PeerTokens;
pub use secret::TokenSecret;
pub use secrets::TokenSecrets;
pub(crate) use stamped::Stamped;
pub use validate::ValidateAddress;
pub(crate) use validation::Validation;
