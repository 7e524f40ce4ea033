//! Limits of a server.

use std::time::Duration;

use crate::BindError;

/// Limits of a server. Each has a default that bounds what a stranger can cost a small server. Datagrams beyond a
/// limit are dropped and counted, see [`ServerStats`](crate::ServerStats).
///
/// `bind` refuses a limit of zero, except for [`max_queue_len`](Self::max_queue_len),
/// [`shutdown_grace`](Self::shutdown_grace) and [`max_tasks`](Self::max_tasks), where it means none.
///
/// # Examples
///
/// ```
/// use datagrammar::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().max_conversations(1_000).max_queue_len(16).idle_timeout(Duration::from_secs(10));
/// # let _ = limits;
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) max_queue_len: usize,
    pub(crate) max_queue_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) max_total_queue_bytes: usize,
    pub(crate) max_conversations: usize,
    pub(crate) max_datagram_size: usize,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) shutdown_grace: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) max_tasks: usize,
    pub(crate) max_events_per_second: usize,
}

/// Which datagram is dropped when a peer's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The datagram that has just arrived. The kernel does the same when a socket buffer is full.
    #[default]
    DropNewest,
    /// The datagram that has waited longest. Use it where only the latest datagram of a peer matters.
    DropOldest,
}

impl Limits {
    /// Sets how many datagrams may wait for a peer that is in conversation, besides the one that
    /// opened it. The default is 1,024.
    ///
    /// The worker empties the kernel's buffer into these queues, so a queue must hold as many datagrams as a
    /// peer sends at once. [`max_queue_bytes`](Self::max_queue_bytes) limits their bytes.
    ///
    /// 0 means that no datagram may wait: a conversation receives the datagram that opened it and no other,
    /// not even in a `recv` that waits. Later ones are counted as [`DropReason::QueueFull`]. This is for
    /// handlers that receive once.
    ///
    /// [`DropReason::QueueFull`]: crate::DropReason::QueueFull
    #[must_use]
    pub const fn max_queue_len(mut self, datagrams: usize) -> Self {
        self.max_queue_len = datagrams;
        self
    }

    /// Sets how many bytes may wait for one peer. The default is 1 MiB.
    #[must_use]
    pub const fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_queue_bytes = bytes;
        self
    }

    /// Sets which datagram is dropped when one of these two limits is reached. The default is the
    /// newest.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets how many bytes may wait for all peers together. The default is 64 MiB.
    ///
    /// Each datagram counts with its bytes and 160 more, so that empty ones are limited too: to 419,430, or to
    /// 43,018 datagrams of 1,400 bytes.
    ///
    /// The opening datagram of a conversation counts too, once the handler awaits anything before its first
    /// `recv`. If there is no room for it then, the conversation is dropped.
    #[must_use]
    pub const fn max_total_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_total_queue_bytes = bytes;
        self
    }

    /// Sets how many peers may be in conversation. The default is 16,384.
    ///
    /// A peer whose handler answers without waiting does not count.
    #[must_use]
    pub const fn max_conversations(mut self, peers: usize) -> Self {
        self.max_conversations = peers;
        self
    }

    /// Sets the length of the longest datagram that is received, in bytes. The default is 65,535,
    /// more than UDP can carry.
    #[must_use]
    pub const fn max_datagram_size(mut self, bytes: usize) -> Self {
        self.max_datagram_size = bytes;
        self
    }

    /// Sets how long one `recv` may wait before it returns [`RecvError::Idle`], so that silent peers
    /// cannot use up [`max_conversations`](Self::max_conversations). `None` means no timeout. The default is
    /// 60 seconds.
    ///
    /// [`RecvError::Idle`]: crate::RecvError::Idle
    #[must_use]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = limit.into();
        self
    }

    /// Sets how long running conversations may go on at shutdown before they are dropped. The default is
    /// 750 ms; 0 drops them at once.
    #[must_use]
    pub const fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Sets how long a datagram may wait for room in the kernel's send buffer. The default is 100 ms;
    /// `Duration::MAX` means no timeout.
    ///
    /// A send buffer stays full when a link is congested, or when hosts of the local network do not answer: the
    /// kernel keeps datagrams to such a neighbour for 3 seconds. A datagram that has waited for this time is
    /// dropped, counted in [`ServerStats::send_timeouts`](crate::ServerStats::send_timeouts) and logged, so that
    /// replies to other peers are not late once there is room again.
    #[must_use]
    pub const fn send_timeout(mut self, timeout: Duration) -> Self {
        self.send_timeout = timeout;
        self
    }

    /// Sets how many background tasks that [`Spawner::spawn`] and [`Peer::spawn`] start may run at a time.
    /// The default is 16,384; 0 means none.
    ///
    /// Tasks that [`ServerContext::spawn`] starts do not count.
    ///
    /// [`Spawner::spawn`]: crate::Spawner::spawn
    /// [`Peer::spawn`]: crate::Peer::spawn
    /// [`ServerContext::spawn`]: crate::ServerContext::spawn
    #[must_use]
    pub const fn max_tasks(mut self, tasks: usize) -> Self {
        self.max_tasks = tasks;
        self
    }

    /// Sets how many `tracing` events about peers are logged per second and level. The default is 10.
    #[must_use]
    pub const fn max_events_per_second(mut self, events: usize) -> Self {
        self.max_events_per_second = events;
        self
    }

    /// Returns how many datagrams may wait for a peer, see [`max_queue_len`](Self::max_queue_len).
    #[must_use]
    pub const fn get_max_queue_len(&self) -> usize {
        self.max_queue_len
    }

    /// Returns how many bytes may wait for one peer, see [`max_queue_bytes`](Self::max_queue_bytes).
    #[must_use]
    pub const fn get_max_queue_bytes(&self) -> usize {
        self.max_queue_bytes
    }

    /// Returns which datagram is dropped when a queue is full, see [`overflow`](Self::overflow).
    #[must_use]
    pub const fn get_overflow(&self) -> Overflow {
        self.overflow
    }

    /// Returns how many bytes may wait for all peers together, see [`max_total_queue_bytes`](Self::max_total_queue_bytes).
    #[must_use]
    pub const fn get_max_total_queue_bytes(&self) -> usize {
        self.max_total_queue_bytes
    }

    /// Returns how many peers may be in conversation, see [`max_conversations`](Self::max_conversations).
    #[must_use]
    pub const fn get_max_conversations(&self) -> usize {
        self.max_conversations
    }

    /// Returns the length of the longest datagram that is received, see [`max_datagram_size`](Self::max_datagram_size).
    #[must_use]
    pub const fn get_max_datagram_size(&self) -> usize {
        self.max_datagram_size
    }

    /// Returns how long one `recv` may wait, see [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub const fn get_idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Returns how long conversations may go on at shutdown, see [`shutdown_grace`](Self::shutdown_grace).
    #[must_use]
    pub const fn get_shutdown_grace(&self) -> Duration {
        self.shutdown_grace
    }

    /// Returns how long a datagram may wait for room in the kernel, see [`send_timeout`](Self::send_timeout).
    #[must_use]
    pub const fn get_send_timeout(&self) -> Duration {
        self.send_timeout
    }

    /// Returns how many background tasks may run at a time, see [`max_tasks`](Self::max_tasks).
    #[must_use]
    pub const fn get_max_tasks(&self) -> usize {
        self.max_tasks
    }

    /// Returns how many events about peers are logged per second and level, see [`max_events_per_second`](Self::max_events_per_second).
    #[must_use]
    pub const fn get_max_events_per_second(&self) -> usize {
        self.max_events_per_second
    }

    /// Refuses bounds with which nothing could ever be received or sent.
    pub(crate) fn check(&self) -> Result<(), BindError> {
        let zero = [
            ("max_queue_bytes", self.max_queue_bytes == 0),
            ("max_total_queue_bytes", self.max_total_queue_bytes == 0),
            ("max_conversations", self.max_conversations == 0),
            ("max_datagram_size", self.max_datagram_size == 0),
            ("idle_timeout", self.idle_timeout == Some(Duration::ZERO)),
            ("send_timeout", self.send_timeout.is_zero()),
            ("max_events_per_second", self.max_events_per_second == 0),
        ];
        match zero.iter().find(|(_, zero)| *zero) {
            Some((name, _)) => Err(BindError::ZeroLimit(name)),
            None => Ok(()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_queue_len: 1_024,
            max_queue_bytes: 1 << 20,
            overflow: Overflow::default(),
            max_total_queue_bytes: 64 << 20,
            max_conversations: 16_384,
            max_datagram_size: 65_535,
            idle_timeout: Some(Duration::from_secs(60)),
            shutdown_grace: Duration::from_millis(750),
            send_timeout: Duration::from_millis(100),
            max_tasks: 16_384,
            max_events_per_second: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // G-1
    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let limits = Limits::default();

        assert_eq!(limits.get_max_queue_len(), 1_024);
        assert_eq!(limits.get_max_queue_bytes(), 1_048_576);
        assert_eq!(limits.get_overflow(), Overflow::DropNewest);
        assert_eq!(limits.get_max_total_queue_bytes(), 67_108_864);
        assert_eq!(limits.get_max_conversations(), 16_384);
        assert_eq!(limits.get_max_datagram_size(), 65_535);
        assert_eq!(limits.get_idle_timeout(), Some(Duration::from_secs(60)));
        assert_eq!(limits.get_shutdown_grace(), Duration::from_millis(750));
        assert_eq!(limits.get_send_timeout(), Duration::from_millis(100));
        assert_eq!(limits.get_max_tasks(), 16_384);
        assert_eq!(limits.get_max_events_per_second(), 10);
    }

    // G-1
    #[test]
    fn each_getter_returns_what_its_setter_has_set() {
        let limits = Limits::default()
            .max_queue_len(1)
            .max_queue_bytes(2)
            .overflow(Overflow::DropOldest)
            .max_total_queue_bytes(3)
            .max_conversations(4)
            .max_datagram_size(5)
            .idle_timeout(Duration::from_secs(6))
            .shutdown_grace(Duration::from_secs(7))
            .send_timeout(Duration::from_secs(8))
            .max_tasks(9)
            .max_events_per_second(10_000);

        assert_eq!(limits.get_max_queue_len(), 1);
        assert_eq!(limits.get_max_queue_bytes(), 2);
        assert_eq!(limits.get_overflow(), Overflow::DropOldest);
        assert_eq!(limits.get_max_total_queue_bytes(), 3);
        assert_eq!(limits.get_max_conversations(), 4);
        assert_eq!(limits.get_max_datagram_size(), 5);
        assert_eq!(limits.get_idle_timeout(), Some(Duration::from_secs(6)));
        assert_eq!(limits.get_shutdown_grace(), Duration::from_secs(7));
        assert_eq!(limits.get_send_timeout(), Duration::from_secs(8));
        assert_eq!(limits.get_max_tasks(), 9);
        assert_eq!(limits.get_max_events_per_second(), 10_000);
        assert_eq!(limits.idle_timeout(None).get_idle_timeout(), None);
    }

    // G-1
    #[test]
    fn a_bound_of_zero_is_refused_by_name() {
        let zero = Duration::ZERO;
        let refused = [
            ("max_queue_bytes", Limits::default().max_queue_bytes(0)),
            ("max_total_queue_bytes", Limits::default().max_total_queue_bytes(0)),
            ("max_conversations", Limits::default().max_conversations(0)),
            ("max_datagram_size", Limits::default().max_datagram_size(0)),
            ("idle_timeout", Limits::default().idle_timeout(zero)),
            ("send_timeout", Limits::default().send_timeout(zero)),
            ("max_events_per_second", Limits::default().max_events_per_second(0)),
        ];

        for (name, limits) in refused {
            let error = limits.check().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
        assert!(
            Limits::default()
                .max_queue_len(0)
                .shutdown_grace(zero)
                .max_tasks(0)
                .idle_timeout(None)
                .check()
                .is_ok()
        );
    }
}
