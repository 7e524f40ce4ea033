//! Address tokens: a stateless proof that a peer receives what is sent to its address.
//!
//! This part has no socket, no clock and no random numbers except for new secrets: the time is an argument.

mod options;
mod peer;
mod secret;
mod secrets;
mod time;

pub use options::AddressTokens;
pub use peer::PeerTokens;
pub use secret::TokenSecret;
pub use secrets::TokenSecrets;
