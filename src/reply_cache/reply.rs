//! A reply that the reply cache knows.

use std::sync::Arc;

use crate::chunk::PacketId;

/// A reply that is known.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Arc<[u8]>,
    /// Its name in chunks. Without one, it cannot be sent in chunks, since the others could not be asked for.
    pub(crate) packet: Option<PacketId>,
    /// Whether the address of its peer was validated when it was sent.
    pub(crate) validated: bool,
}

impl Reply {
    /// A reply with this name in chunks. 0 means none.
    pub(super) fn new(bytes: Arc<[u8]>, id: u64, name: u32, validated: bool) -> Self {
        let packet = (name != 0).then_some(PacketId { id, number: name });
        Self { bytes, packet, validated }
    }
}
