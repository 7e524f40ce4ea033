//! Protocols whose packets carry an id, so that a response finds its request.

pub(crate) mod correlated;
pub(crate) mod lock_step;
pub(crate) mod tagged;
pub(crate) mod tagged_server;
