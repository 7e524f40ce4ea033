use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use crate::{figures::DropReason, limits::Limits};

/// For which reasons nobody was told yet that datagrams are lost: one bit each.
#[derive(Debug, Default)]
pub(super) struct Untold(AtomicU16);

impl Untold {
    /// Serving begins: what happens first for each reason is to be told again.
    pub(super) fn begin(&self) {
        self.0.store(u16::MAX, Relaxed);
    }

    /// Serving ends: nothing is to be told.
    pub(super) fn end(&self) {
        self.0.store(0, Relaxed);
    }

    /// Whether this is the first time for `reason`.
    pub(super) fn is_first(&self, reason: DropReason) -> bool {
        let bit = 1 << reason as u16;
        self.0.load(Relaxed) & bit != 0 && self.0.fetch_and(!bit, Relaxed) & bit != 0
    }
}

/// The bound of ours that is reached where datagrams are dropped for `reason`, as it is set.
pub(super) fn bound(reason: DropReason, limits: &Limits) -> Option<String> {
    Some(match reason {
        DropReason::Queue => {
            format!("Limits::queue({}), Limits::queue_bytes({})", limits.queue, limits.queue_bytes)
        }
        DropReason::Bytes => format!("Limits::bytes({})", limits.bytes),
        DropReason::Peers => format!("Limits::peers({})", limits.peers),
        DropReason::Truncated => format!("Limits::datagram({})", limits.datagram),
        DropReason::Kernel
        | DropReason::Refused
        | DropReason::Unread
        | DropReason::Stale
        | DropReason::Stopping => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // H-17
    #[test]
    fn each_reason_comes_first_once_in_each_time_of_serving() {
        let untold = Untold::default();
        assert!(!untold.is_first(DropReason::Queue), "nothing is served yet");

        for _ in 0..2 {
            untold.begin();

            assert!(untold.is_first(DropReason::Queue));
            assert!(untold.is_first(DropReason::Kernel));
            assert!(!untold.is_first(DropReason::Queue) && !untold.is_first(DropReason::Kernel));
        }
        untold.end();
        assert!(!untold.is_first(DropReason::Peers));
    }
}
