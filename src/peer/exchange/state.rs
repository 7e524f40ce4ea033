//! What a conversation remembers for its requests.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use crate::timing::{Jitter, RoundTrip};

/// The state of a conversation that sends requests. Other conversations have none.
#[derive(Debug)]
pub(in crate::peer) struct ExchangeState {
    /// Its random key keeps a peer from making two packets with one digest.
    digests: RandomState,
    /// The digest of the last packet that was received.
    last: Option<u64>,
    /// Whether the packet that was received last equals the one before.
    pub(super) duplicate: bool,
    pub(super) round_trip: RoundTrip,
    pub(super) jitter: Jitter,
    /// How many datagrams the last request has sent, and how long it lasted, if it timed out.
    pub(in crate::peer) timed_out: Option<(u32, Duration)>,
}

impl ExchangeState {
    /// Remembers a datagram that was received and has decoded.
    #[cold]
    pub(in crate::peer) fn received(&mut self, datagram: &[u8]) {
        let digest = Some(self.digests.hash_one(datagram));
        self.duplicate = digest == self.last;
        self.last = digest;
    }

    /// Forgets all but the last packet, which the next conversation receives.
    pub(in crate::peer) fn passed_on(self) -> Self {
        let Self { digests, last, .. } = self;
        Self { digests, last, ..Self::default() }
    }
}

impl Default for ExchangeState {
    fn default() -> Self {
        let digests = RandomState::new();
        Self {
            last: None,
            duplicate: false,
            round_trip: RoundTrip::default(),
            jitter: Jitter::new(digests.hash_one(0)),
            timed_out: None,
            digests,
        }
    }
}
