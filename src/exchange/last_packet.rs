//! Recognizes duplicates of the previous packet.

use std::hash::{BuildHasher, RandomState};

/// A digest of the last packet that was received.
#[derive(Debug, Default)]
pub(crate) struct LastPacket {
    /// Its random key keeps the other side from making two packets with one digest.
    digests: RandomState,
    last: Option<u64>,
}

impl LastPacket {
    /// Remembers a datagram that was received and has decoded. Returns whether it equals the one before.
    #[cold]
    pub(crate) fn is_again(&mut self, datagram: &[u8]) -> bool {
        let digest = Some(self.digests.hash_one(datagram));
        let again = digest == self.last;
        self.last = digest;
        again
    }
}
