//! Tests that apply to every codec of serde types.

mod attributes;
mod beyond;
mod errors;
mod hostile;
mod kit;
mod round_trip;
mod shape;
