//! Remembers for which reasons a drop was logged, and names the limit to change.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::{limits::Limits, stats::DropReason};

/// The reasons for drops that were not logged yet: one bit each.
#[derive(Debug, Default)]
pub(super) struct Untold(AtomicU32);

impl Untold {
    /// Serving begins: the first drop for each reason is logged again.
    pub(super) fn begin(&self) {
        self.0.store(u32::MAX, Relaxed);
    }

    /// Serving ends: no drop is logged.
    pub(super) fn end(&self) {
        self.0.store(0, Relaxed);
    }

    /// Whether this is the first drop for `reason`.
    pub(super) fn is_first(&self, reason: DropReason) -> bool {
        self.is_first_of(reason as u32)
    }

    /// Whether this is the first reply that the guard has refused.
    pub(super) fn is_first_refusal(&self) -> bool {
        self.is_first_of(u32::BITS - 1)
    }

    /// Whether this is the first event about amplification.
    pub(super) fn is_first_amplification(&self) -> bool {
        self.is_first_of(u32::BITS - 2)
    }

    fn is_first_of(&self, number: u32) -> bool {
        let bit = 1 << number;
        self.0.load(Relaxed) & bit != 0 && self.0.fetch_and(!bit, Relaxed) & bit != 0
    }
}

/// The limits, with their values, that cause drops for `reason`; `None` if no limit of ours causes them.
pub(super) fn bound(reason: DropReason, limits: &Limits) -> Option<String> {
    Some(match reason {
        DropReason::QueueFull => {
            format!(
                "Limits::max_queue_len({}), Limits::max_queue_bytes({})",
                limits.max_queue_len, limits.max_queue_bytes
            )
        }
        DropReason::MemoryLimit => {
            format!("Limits::max_total_queue_bytes({})", limits.max_total_queue_bytes)
        }
        DropReason::ConversationLimit => {
            format!("Limits::max_conversations({})", limits.max_conversations)
        }
        DropReason::Descriptors => format!("Limits::max_queued_fds({})", limits.max_queued_fds),
        DropReason::Busy => "tower::ServiceHandler::ready_timeout".to_owned(),
        DropReason::Late => "Limits::max_queue_time, Guard::max_queue_time".to_owned(),
        DropReason::Rate => "ServerBuilder::rate_limit, Guard::reply_rate".to_owned(),
        DropReason::Truncated => format!("Limits::max_datagram_size({})", limits.max_datagram_size),
        DropReason::Kernel
        | DropReason::Refused
        | DropReason::Unnamed
        | DropReason::Unread
        | DropReason::Stale
        | DropReason::ShuttingDown
        | DropReason::Duplicate
        | DropReason::Chunk
        | DropReason::Unproven
        | DropReason::NoEnvelope
        // It has an event of its own.
        | DropReason::ProxyHeader
        | DropReason::HandedOver
        | DropReason::HandOverFull
        // The failure of the store is logged.
        | DropReason::StoreFailed => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // H-17
    #[test]
    fn each_reason_is_new_once_per_serving() {
        let untold = Untold::default();
        assert!(!untold.is_first(DropReason::QueueFull), "serving has not begun yet");

        for _ in 0..2 {
            untold.begin();

            assert!(untold.is_first(DropReason::QueueFull));
            assert!(untold.is_first(DropReason::Kernel));
            assert!(
                !untold.is_first(DropReason::QueueFull) && !untold.is_first(DropReason::Kernel)
            );
        }
        untold.end();
        assert!(!untold.is_first(DropReason::ConversationLimit));
    }
}
