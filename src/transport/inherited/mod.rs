//! Sockets that a parent process has passed: found in the environment, checked, and taken over.

mod claims;
mod descriptor;
pub(super) mod environment;

pub(crate) use claims::Claims;
