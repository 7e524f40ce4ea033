use std::{io, time::Duration};

/// How much a server takes on. Each bound has a default that a small server on the open internet can
/// live with, and what is beyond it is dropped and counted, see [`Figures`](crate::Figures).
///
/// A bound of zero is refused by `bind`, except for [`queue`](Self::queue), [`grace`](Self::grace) and
/// [`tasks`](Self::tasks), where it means none.
///
/// # Examples
///
/// ```
/// use datagrammar::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().peers(1_000).queue(16).idle(Duration::from_secs(10));
/// # let _ = limits;
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) queue: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) bytes: usize,
    pub(crate) peers: usize,
    pub(crate) datagram: usize,
    pub(crate) idle: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) tasks: usize,
    pub(crate) events: usize,
}

/// Which datagram is dropped when a peer's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The one that has just arrived, as the kernel does when a socket buffer is full.
    #[default]
    DropNewest,
    /// The one that has waited longest: for peers of whom only the latest word counts.
    DropOldest,
}

impl Limits {
    /// Sets how many datagrams may wait for a peer that is in conversation, besides the one that
    /// opened it. The default is 1,024.
    ///
    /// The worker empties the kernel's buffer into these queues, so a queue has to hold what a peer sends at
    /// once. [`queue_bytes`](Self::queue_bytes) bounds what they take.
    ///
    /// 0 means that none may wait: a conversation hears the datagram that opened it and no other, not even in
    /// a `recv` that waits, and what comes meanwhile is counted as [`DropReason::Queue`]. That is for
    /// handlers that receive once.
    ///
    /// [`DropReason::Queue`]: crate::DropReason::Queue
    #[must_use]
    pub const fn queue(mut self, datagrams: usize) -> Self {
        self.queue = datagrams;
        self
    }

    /// Sets how many bytes may wait for one peer. The default is 1 MiB.
    #[must_use]
    pub const fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Sets which datagram is dropped when one of these two bounds is reached. The default is the
    /// newest.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets how much memory datagrams take that wait for all peers together, in bytes. The default is
    /// 64 MiB.
    ///
    /// Each counts with its bytes and 160 more, so that empty ones have a bound too: 419,430 of these, or
    /// 43,018 of 1,400 bytes.
    ///
    /// The datagram that opened a conversation counts when its handler waits for something else
    /// before it receives it; beyond the bound such a conversation is dropped at that point.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how many peers may be in conversation. The default is 16,384.
    ///
    /// A peer whose handler answers without waiting takes no place.
    #[must_use]
    pub const fn peers(mut self, peers: usize) -> Self {
        self.peers = peers;
        self
    }

    /// Sets the length of the longest datagram that is received, in bytes. The default is 65,535,
    /// more than UDP can carry.
    #[must_use]
    pub const fn datagram(mut self, bytes: usize) -> Self {
        self.datagram = bytes;
        self
    }

    /// Sets how long one `recv` may wait before it returns [`RecvError::Idle`], so that peers that
    /// fell silent cannot hold all places; `None` lets it wait for ever. The default is 60 seconds.
    ///
    /// [`RecvError::Idle`]: crate::RecvError::Idle
    #[must_use]
    pub fn idle(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle = limit.into();
        self
    }

    /// Sets how long running conversations have at shutdown before they are dropped. The default is
    /// 750 ms; 0 means that they have no time.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long a datagram may wait for room in the kernel's send buffer. The default is 100 ms;
    /// `Duration::MAX` lets it wait for ever.
    ///
    /// A buffer is full for so long when a link is, or when hosts of the local network do not answer: the kernel
    /// keeps what goes to such a neighbour for 3 seconds. What has waited for this time is dropped, counted in
    /// [`Figures::send_timeouts`](crate::Figures::send_timeouts) and told in the log, so that replies to
    /// others are not late when the jam is over.
    #[must_use]
    pub const fn send_timeout(mut self, timeout: Duration) -> Self {
        self.send_timeout = timeout;
        self
    }

    /// Sets how many background tasks may run at a time that were started by [`Spawner::spawn`] and
    /// [`Peer::spawn`]. The default is 16,384; 0 means that none may.
    ///
    /// Those that were started by [`Service::spawn`] do not count.
    ///
    /// [`Spawner::spawn`]: crate::Spawner::spawn
    /// [`Peer::spawn`]: crate::Peer::spawn
    /// [`Service::spawn`]: crate::Service::spawn
    #[must_use]
    pub const fn tasks(mut self, tasks: usize) -> Self {
        self.tasks = tasks;
        self
    }

    /// Sets how many `tracing` events about peers are told per second and level. The default is 10.
    #[must_use]
    pub const fn events_per_second(mut self, events: usize) -> Self {
        self.events = events;
        self
    }

    /// Refuses bounds with which nothing could ever be received.
    pub(crate) fn check(&self) -> io::Result<()> {
        let zero = [
            ("queue_bytes", self.queue_bytes == 0),
            ("bytes", self.bytes == 0),
            ("peers", self.peers == 0),
            ("datagram", self.datagram == 0),
            ("idle", self.idle == Some(Duration::ZERO)),
            ("events_per_second", self.events == 0),
        ];
        let Some((name, _)) = zero.iter().find(|(_, zero)| *zero) else { return Ok(()) };
        let text = format!("the limit `{name}` is zero where at least one was expected");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 1_024,
            queue_bytes: 1 << 20,
            overflow: Overflow::default(),
            bytes: 64 << 20,
            peers: 16_384,
            datagram: 65_535,
            idle: Some(Duration::from_secs(60)),
            grace: Duration::from_millis(750),
            send_timeout: Duration::from_millis(100),
            tasks: 16_384,
            events: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // G-1
    #[test]
    fn a_bound_of_zero_is_refused_by_name() {
        let zero = Duration::ZERO;
        let refused = [
            ("queue_bytes", Limits::default().queue_bytes(0)),
            ("bytes", Limits::default().bytes(0)),
            ("peers", Limits::default().peers(0)),
            ("datagram", Limits::default().datagram(0)),
            ("idle", Limits::default().idle(zero)),
            ("events_per_second", Limits::default().events_per_second(0)),
        ];

        for (name, limits) in refused {
            let error = limits.check().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
        assert!(Limits::default().queue(0).grace(zero).tasks(0).idle(None).check().is_ok());
    }
}
