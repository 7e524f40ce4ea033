//! Protocols made of other protocols: converters, layers, choices, and `Split`.

pub(crate) mod adapter;
pub(crate) mod choice;
pub(crate) mod convert;
pub(crate) mod layered;
pub(crate) mod split;
