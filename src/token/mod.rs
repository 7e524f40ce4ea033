//! Address tokens: a stateless proof that a peer receives what is sent to its address.
//!
//! This part has no socket, no clock and no random numbers except for new secrets: the time is an argument.

#[cfg_attr(
    not(any(test, fuzzing)),
    expect(dead_code, reason = "servers and clients do not send envelopes yet")
)]
mod envelope;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
#[cfg_attr(
    not(any(test, fuzzing)),
    expect(dead_code, reason = "clients do not send envelopes yet")
)]
mod jar;
mod options;
mod peer;
mod secret;
mod secrets;
mod time;
mod validate;
mod validation;

pub use options::AddressTokens;
pub use peer::PeerTokens;
pub use secret::TokenSecret;
pub use secrets::TokenSecrets;
pub use validate::ValidateAddress;
pub(crate) use validation::Validation;
