//! The memory of datagrams that wait, which the limits bound.

use std::sync::atomic::Ordering::Relaxed;

use super::body::{Body, PASSED, Waiting};
use crate::{
    limits::LiveLimits,
    stats::{Counters, DropReason},
    transport::Passed,
};

/// The most memory, in bytes, that a waiting datagram takes in addition to its own bytes: its place in a
/// queue of which 5 of 8 places may be empty, and the overhead of an allocator. So the limit on bytes is a
/// limit on memory.
pub(crate) const OVERHEAD: usize = 160;

const _: () = assert!(8 * size_of::<Waiting>() / 3 + 32 <= OVERHEAD);

/// Reserves memory for a datagram of `bytes` bytes; returns false if no more may wait.
pub(crate) fn reserve(bytes: usize, limits: &LiveLimits, counters: &Counters) -> bool {
    let reserved = |waiting: usize| {
        Some(waiting + bytes + OVERHEAD).filter(|sum| *sum <= limits.max_total_queue_bytes())
    };
    counters.queued_bytes.fetch_update(Relaxed, Relaxed, reserved).is_ok()
}

/// Reserves memory for a datagram, and places for the descriptors that came with it.
pub(crate) fn reserve_all(
    datagram: &[u8],
    passed: Option<&Passed>,
    limits: &LiveLimits,
    counters: &Counters,
) -> Result<(), DropReason> {
    let bytes = datagram.len() + passed.map_or(0, |_| PASSED);
    if !reserve(bytes, limits, counters) {
        return Err(DropReason::MemoryLimit);
    }
    let more = passed.map_or(0, Passed::count);
    let reserved =
        |waiting: usize| Some(waiting + more).filter(|sum| *sum <= limits.max_queued_fds());
    if more > 0 && counters.queued_fds.fetch_update(Relaxed, Relaxed, reserved).is_err() {
        release(bytes, counters);
        return Err(DropReason::Descriptors);
    }
    Ok(())
}

/// Releases what was reserved for a datagram.
pub(crate) fn release_all(datagram: &Body, counters: &Counters) {
    release(datagram.counted(), counters);
    let fds = datagram.fds();
    if fds > 0 {
        counters.queued_fds.fetch_sub(fds, Relaxed);
    }
}

/// Releases the memory that was reserved for a datagram of `bytes` bytes.
pub(crate) fn release(bytes: usize, counters: &Counters) {
    counters.queued_bytes.fetch_sub(bytes + OVERHEAD, Relaxed);
}

/// Reserves what [`reserve`] does, also beyond the limit: for what has just been released.
pub(crate) fn reserve_anyway(bytes: usize, counters: &Counters) {
    counters.queued_bytes.fetch_add(bytes + OVERHEAD, Relaxed);
}
