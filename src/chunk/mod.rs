//! Packets that are longer than one datagram: they are sent in chunks.

mod assembly;
mod format;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod options;
mod server;
mod split;
mod table;
mod wire;

pub(crate) use assembly::{Assembly, Verdict};
pub(crate) use format::{Chunk, Missing, PacketId, Part, is_part, missing, ranges_in};
pub use options::Chunked;
pub(crate) use server::{Arrived, Chunks};
pub(crate) use split::Splitter;
pub(crate) use table::Source;
pub(crate) use wire::Wire;

/// How many chunks of a packet are sent before its receiver has told anything: the initial window of TCP (RFC 6928).
pub(crate) const FLIGHT: usize = 10;

/// How many chunks are in flight at most.
pub(crate) const MAX_FLIGHT: usize = 64;
