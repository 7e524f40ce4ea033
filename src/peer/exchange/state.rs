//! What a conversation remembers for its exchanges.

use crate::exchange::{LastPacket, Pace, TimedOut};

/// The state of a conversation that sends exchanges. Other conversations have none.
#[derive(Debug, Default)]
pub(in crate::peer) struct ExchangeState {
    last: LastPacket,
    /// Whether the packet that was received last equals the one before.
    pub(super) duplicate: bool,
    pub(super) pace: Pace,
    /// If the last exchange timed out.
    pub(in crate::peer) timed_out: Option<TimedOut>,
}

impl ExchangeState {
    /// Remembers a datagram that was received and has decoded.
    #[cold]
    pub(in crate::peer) fn received(&mut self, datagram: &[u8]) {
        self.duplicate = self.last.is_again(datagram);
    }

    /// Forgets all but the last packet, which the next conversation receives.
    pub(in crate::peer) fn passed_on(self) -> Self {
        Self { last: self.last, ..Self::default() }
    }
}
