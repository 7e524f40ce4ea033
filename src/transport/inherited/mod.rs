//! Sockets that a parent process has passed: found in the environment, checked, and taken over.

mod claims;
pub(super) mod environment;

pub(crate) use claims::Claims;
