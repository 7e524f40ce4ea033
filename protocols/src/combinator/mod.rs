//! What goes around protocols, beside them and between them and their packets.

pub(crate) mod choice;
pub(crate) mod convert;
pub(crate) mod split;
