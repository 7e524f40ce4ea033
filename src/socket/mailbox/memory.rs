//! The memory of datagrams that wait, which the limits bound.

use std::sync::atomic::Ordering::Relaxed;

use super::body::{Body, Waiting, counted};
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
    let bytes = datagram.len() + passed.map_or(0, counted);
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

#[cfg(test)]
mod tests {
    use super::{
        super::{KEPT, body::PASSED, tests::Post},
        *,
    };
    use crate::Limits;

    /// What comes with a datagram that passes so many descriptors.
    #[cfg(unix)]
    fn passed(fds: usize) -> Passed {
        let fd = |_| std::fs::File::open("/dev/null").unwrap().into();
        Passed { fds: (0..fds).map(fd).collect(), ..Passed::default() }
    }

    // A-8, G-1: `max_queued_fds`
    #[cfg(unix)]
    #[test]
    fn descriptors_that_wait_are_bounded_in_all_and_a_refused_datagram_takes_no_memory() {
        let limits = LiveLimits::new(&Limits::default().max_queued_fds(3));
        let counters = Counters::default();
        let used = || (counters.read().queued_bytes, counters.queued_fds.load(Relaxed));
        let reserve = |passed: &Passed| reserve_all(b"abc", Some(passed), &limits, &counters);
        let one = 3 + PASSED + OVERHEAD;

        assert_eq!(reserve(&passed(2)), Ok(()));
        assert_eq!(used(), (one, 2));
        assert_eq!(reserve(&passed(2)), Err(DropReason::Descriptors));
        assert_eq!(used(), (one, 2));
        assert_eq!(reserve(&passed(1)), Ok(()));
        limits.set(&Limits::default().max_queued_fds(1));
        assert_eq!(reserve(&passed(0)), Ok(()), "it needs no place");
        assert_eq!(used(), (3 * one, 3));

        for fds in [2, 1, 0] {
            release_all(&Body::new(b"abc", Some(Box::new(passed(fds)))), &counters);
        }
        assert_eq!(used(), (0, 0));
    }

    // G-2: bytes waiting in all
    #[test]
    fn what_comes_with_a_datagram_counts_while_it_waits() {
        let limits = LiveLimits::new(&Limits::default().max_total_queue_bytes(OVERHEAD + PASSED));
        let counters = Counters::default();
        let reserve =
            |bytes: &[u8]| reserve_all(bytes, Some(&Passed::default()), &limits, &counters);

        assert_eq!(reserve(b"a"), Err(DropReason::MemoryLimit));
        assert_eq!(reserve(b""), Ok(()));
        assert_eq!(reserve_all(b"", None, &limits, &counters), Err(DropReason::MemoryLimit));
    }

    // G-8
    #[test]
    fn a_queue_is_not_copied_while_three_of_eight_places_are_taken() {
        let post = Post::within(Limits::default());
        for _ in 0..1_000 {
            post.offer("");
        }
        let room = || post.mailbox.lock().queue.capacity();
        let before = room();

        let three_of_eight = 3 * before / 8;
        while post.mailbox.lock().queue.len() > three_of_eight {
            post.finish();
        }
        assert_eq!(room(), before);
        post.finish();
        assert!((KEPT..before).contains(&room()));
    }
}
