//! Protocols made of others: with other packets, with other bytes, several on one port.

pub(crate) mod adapter;
pub(crate) mod choice;
pub(crate) mod convert;
pub(crate) mod layered;
pub(crate) mod split;
