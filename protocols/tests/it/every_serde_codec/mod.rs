//! What every codec of serde types promises alike.

mod attributes;
mod beyond;
mod errors;
mod hostile;
mod kit;
mod round_trip;
mod shape;
