//! The limits of a server, which can change while it serves.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use super::{Limits, Overflow};
use crate::queue_time::QueueTime;

/// The limits that apply now. Reading one costs as much as reading a field.
#[derive(Debug)]
pub(crate) struct LiveLimits {
    max_queue_len: AtomicUsize,
    max_queue_bytes: AtomicUsize,
    drops_oldest: AtomicBool,
    max_total_queue_bytes: AtomicUsize,
    max_queued_fds: AtomicUsize,
    max_conversations: AtomicUsize,
    max_datagram_size: usize,
    max_queue_time: Time,
    queue_time: QueueTime,
    idle_timeout: Time,
    undecoded_timeout: Time,
    shutdown_grace: Time,
    send_timeout: Time,
    max_tasks: AtomicUsize,
    max_events_per_second: AtomicUsize,
}

impl LiveLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max_queue_len: AtomicUsize::new(limits.max_queue_len),
            max_queue_bytes: AtomicUsize::new(limits.max_queue_bytes),
            drops_oldest: AtomicBool::new(limits.overflow == Overflow::DropOldest),
            max_total_queue_bytes: AtomicUsize::new(limits.max_total_queue_bytes),
            max_queued_fds: AtomicUsize::new(limits.max_queued_fds),
            max_conversations: AtomicUsize::new(limits.max_conversations),
            max_datagram_size: limits.max_datagram_size,
            max_queue_time: Time::new(limits.max_queue_time),
            queue_time: QueueTime::new(limits.max_queue_time),
            idle_timeout: Time::new(limits.idle_timeout),
            undecoded_timeout: Time::new(limits.undecoded_timeout.into()),
            shutdown_grace: Time::new(limits.shutdown_grace.into()),
            send_timeout: Time::new(limits.send_timeout.into()),
            max_tasks: AtomicUsize::new(limits.max_tasks),
            max_events_per_second: AtomicUsize::new(limits.max_events_per_second),
        }
    }

    /// Replaces all limits but the length of datagrams, for which the memory is there already.
    pub(crate) fn set(&self, limits: &Limits) {
        self.max_queue_len.store(limits.max_queue_len, Relaxed);
        self.max_queue_bytes.store(limits.max_queue_bytes, Relaxed);
        self.drops_oldest.store(limits.overflow == Overflow::DropOldest, Relaxed);
        self.max_total_queue_bytes.store(limits.max_total_queue_bytes, Relaxed);
        self.max_queued_fds.store(limits.max_queued_fds, Relaxed);
        self.max_conversations.store(limits.max_conversations, Relaxed);
        self.max_queue_time.set(limits.max_queue_time);
        self.queue_time.set_limit(limits.max_queue_time);
        self.idle_timeout.set(limits.idle_timeout);
        self.undecoded_timeout.set(limits.undecoded_timeout.into());
        self.shutdown_grace.set(limits.shutdown_grace.into());
        self.send_timeout.set(limits.send_timeout.into());
        self.max_tasks.store(limits.max_tasks, Relaxed);
        self.max_events_per_second.store(limits.max_events_per_second, Relaxed);
    }

    /// The limits as they are now.
    pub(crate) fn read(&self) -> Limits {
        Limits {
            max_queue_len: self.max_queue_len(),
            max_queue_bytes: self.max_queue_bytes(),
            overflow: self.overflow(),
            max_total_queue_bytes: self.max_total_queue_bytes(),
            max_queued_fds: self.max_queued_fds(),
            max_conversations: self.max_conversations(),
            max_datagram_size: self.max_datagram_size(),
            max_queue_time: self.max_queue_time.get(),
            idle_timeout: self.idle_timeout(),
            undecoded_timeout: self.undecoded_timeout(),
            shutdown_grace: self.shutdown_grace(),
            send_timeout: self.send_timeout(),
            max_tasks: self.max_tasks(),
            max_events_per_second: self.max_events_per_second(),
        }
    }

    pub(crate) fn max_queue_len(&self) -> usize {
        self.max_queue_len.load(Relaxed)
    }

    pub(crate) fn max_queue_bytes(&self) -> usize {
        self.max_queue_bytes.load(Relaxed)
    }

    pub(crate) fn overflow(&self) -> Overflow {
        if self.drops_oldest.load(Relaxed) { Overflow::DropOldest } else { Overflow::DropNewest }
    }

    pub(crate) fn max_total_queue_bytes(&self) -> usize {
        self.max_total_queue_bytes.load(Relaxed)
    }

    pub(crate) fn max_queued_fds(&self) -> usize {
        self.max_queued_fds.load(Relaxed)
    }

    pub(crate) fn max_conversations(&self) -> usize {
        self.max_conversations.load(Relaxed)
    }

    pub(crate) const fn max_datagram_size(&self) -> usize {
        self.max_datagram_size
    }

    /// How long datagrams may wait: the limit, and that of the guard.
    #[inline]
    pub(crate) const fn queue_time(&self) -> &QueueTime {
        &self.queue_time
    }

    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout.get()
    }

    pub(crate) fn undecoded_timeout(&self) -> Duration {
        self.undecoded_timeout.get().unwrap_or(Duration::MAX)
    }

    pub(crate) fn shutdown_grace(&self) -> Duration {
        self.shutdown_grace.get().unwrap_or(Duration::MAX)
    }

    pub(crate) fn send_timeout(&self) -> Duration {
        self.send_timeout.get().unwrap_or(Duration::MAX)
    }

    pub(crate) fn max_tasks(&self) -> usize {
        self.max_tasks.load(Relaxed)
    }

    pub(crate) fn max_events_per_second(&self) -> usize {
        self.max_events_per_second.load(Relaxed)
    }
}

impl From<Limits> for LiveLimits {
    fn from(limits: Limits) -> Self {
        Self::new(&limits)
    }
}

/// A duration in nanoseconds. More than 584 years, the largest number, are as good as none.
#[derive(Debug)]
struct Time(AtomicU64);

impl Time {
    fn new(time: Option<Duration>) -> Self {
        Self(AtomicU64::new(nanos(time)))
    }

    fn set(&self, time: Option<Duration>) {
        self.0.store(nanos(time), Relaxed);
    }

    fn get(&self) -> Option<Duration> {
        let nanos = self.0.load(Relaxed);
        (nanos != u64::MAX).then(|| Duration::from_nanos(nanos))
    }
}

fn nanos(time: Option<Duration>) -> u64 {
    time.and_then(|time| time.as_nanos().try_into().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::default()
            .max_queue_len(1)
            .max_queue_bytes(2)
            .overflow(Overflow::DropOldest)
            .max_total_queue_bytes(3)
            .max_queued_fds(4)
            .max_conversations(5)
            .max_datagram_size(6)
            .max_queue_time(Duration::from_secs(13))
            .idle_timeout(Duration::from_secs(7))
            .undecoded_timeout(Duration::from_secs(8))
            .shutdown_grace(Duration::from_secs(9))
            .send_timeout(Duration::from_secs(10))
            .max_tasks(11)
            .max_events_per_second(12)
    }

    //
    #[test]
    fn all_limits_but_the_length_of_datagrams_can_be_replaced() {
        let live = LiveLimits::new(&Limits::default());
        assert_eq!(live.read(), Limits::default());

        live.set(&limits());

        let kept = Limits::default().get_max_datagram_size();
        assert_eq!(live.read(), limits().max_datagram_size(kept));
    }

    //
    #[test]
    fn no_timeout_and_the_longest_one_are_the_same() {
        let live = LiveLimits::new(&limits());
        let none = Limits::default().idle_timeout(None).send_timeout(Duration::MAX);

        live.set(&none);

        assert_eq!((live.idle_timeout(), live.send_timeout()), (None, Duration::MAX));
        live.set(&none.idle_timeout(Duration::MAX));
        assert_eq!(live.idle_timeout(), None);
    }
}
