//! The limits of a server.

mod live;
mod overflow;

use std::time::Duration;

pub(crate) use live::LiveLimits;
pub use overflow::Overflow;

use crate::LimitError;

/// The limits of a server: how much memory, how many conversations and how much time its peers can use. Given
/// to [`ServerBuilder::limits`](crate::ServerBuilder::limits).
///
/// With the defaults, the memory of a small server stays bounded even if hosts flood it. Datagrams beyond a
/// limit are dropped and counted: `println!("{}", handle.stats())` shows them. The first drop for each
/// [reason](crate::DropReason) is logged at WARN, once per run of `serve`.
/// [The list of checks](crate::_documentation::troubleshooting) says what to change.
///
/// | limit | default |
/// | --- | --- |
/// | [`max_queue_len`](Self::max_queue_len) | 1,024 datagrams per peer |
/// | [`max_queue_bytes`](Self::max_queue_bytes) | 1 MiB per peer |
/// | [`overflow`](Self::overflow) | [`Overflow::DropNewest`] |
/// | [`max_total_queue_bytes`](Self::max_total_queue_bytes) | 64 MiB |
/// | [`max_queued_fds`](Self::max_queued_fds) | 256 |
/// | [`max_conversations`](Self::max_conversations) | 16,384 |
/// | [`max_datagram_size`](Self::max_datagram_size) | 65,535 bytes |
/// | [`max_queue_time`](Self::max_queue_time) | none; 1 s with a [guard](crate::Guard::max_queue_time) |
/// | [`idle_timeout`](Self::idle_timeout) | 60 s |
/// | [`undecoded_timeout`](Self::undecoded_timeout) | 5 s |
/// | [`shutdown_grace`](Self::shutdown_grace) | 750 ms |
/// | [`send_timeout`](Self::send_timeout) | 100 ms |
/// | [`max_tasks`](Self::max_tasks) | 16,384 |
/// | [`max_events_per_second`](Self::max_events_per_second) | 10 for each level |
///
/// `bind` returns an error for a limit of 0. Exceptions are [`max_queue_len`](Self::max_queue_len),
/// [`max_queued_fds`](Self::max_queued_fds), [`shutdown_grace`](Self::shutdown_grace) and
/// [`max_tasks`](Self::max_tasks): there 0 means "none".
///
/// # Examples
///
/// ```
/// use datagrammar::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default()
///     .max_conversations(1_000)
///     .max_queue_len(16)
///     .idle_timeout(Duration::from_secs(10));
/// assert_eq!(limits.get_max_conversations(), 1_000);
/// assert_eq!(limits.get_shutdown_grace(), Duration::from_millis(750));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) max_queue_len: usize,
    pub(crate) max_queue_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) max_total_queue_bytes: usize,
    pub(crate) max_queued_fds: usize,
    pub(crate) max_conversations: usize,
    pub(crate) max_datagram_size: usize,
    pub(crate) max_queue_time: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) undecoded_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) max_tasks: usize,
    pub(crate) max_events_per_second: usize,
}

impl Limits {
    /// Sets how many datagrams may wait in the queue of a peer that has a conversation. The datagram that
    /// opened the conversation does not count. The default is 1,024.
    ///
    /// The worker moves datagrams from the kernel's buffer into these queues. So a queue must hold as many
    /// datagrams as a peer sends in one burst. [`max_queue_bytes`](Self::max_queue_bytes) limits their bytes.
    ///
    /// 0 means that no datagram may wait. Then a conversation receives only the datagram that opened it, and
    /// no other, even if a `recv` waits. Other datagrams count as [`DropReason::QueueFull`]. This is useful
    /// for handlers that receive once.
    ///
    /// [`DropReason::QueueFull`]: crate::DropReason::QueueFull
    #[must_use]
    pub const fn max_queue_len(mut self, datagrams: usize) -> Self {
        self.max_queue_len = datagrams;
        self
    }

    /// Sets how many bytes may wait in the queue of one peer. The default is 1 MiB. Only the bytes of the
    /// datagrams count. Datagrams beyond this limit count as [`DropReason::QueueFull`].
    ///
    /// [`DropReason::QueueFull`]: crate::DropReason::QueueFull
    #[must_use]
    pub const fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_queue_bytes = bytes;
        self
    }

    /// Sets which datagram is dropped when [`max_queue_len`](Self::max_queue_len) or
    /// [`max_queue_bytes`](Self::max_queue_bytes) is reached. The default is [`Overflow::DropNewest`].
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets how many bytes may wait in the queues of all peers together. The default is 64 MiB. Datagrams
    /// beyond it are dropped and count as [`DropReason::MemoryLimit`](crate::DropReason::MemoryLimit).
    ///
    /// Each datagram counts with its length and 160 bytes more, so that the number of empty datagrams is
    /// limited too. The default allows 419,430 empty datagrams, or 43,018 datagrams of 1,400 bytes. A datagram counts
    /// with 136 bytes more if a [reply cache](crate::ReplyCache) knows it, or if descriptors or credentials came with
    /// it.
    ///
    /// The datagram that opens a conversation counts too if the handler waits for something before its first
    /// `recv`. If there is no room for that datagram, the conversation is dropped, and the datagram counts as
    /// `MemoryLimit`.
    #[must_use]
    pub const fn max_total_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_total_queue_bytes = bytes;
        self
    }

    /// Sets how many file descriptors may wait in the queues of all peers together. The default is 256; 0
    /// means none. A datagram whose descriptors are beyond it is dropped, its descriptors are closed, and it
    /// counts as [`DropReason::Descriptors`](crate::DropReason::Descriptors).
    ///
    /// A process has a limited number of descriptors, often 1,024 (`ulimit -n`). Only Unix sockets with
    /// [`fd_passing`](crate::Unix::fd_passing) receive descriptors.
    #[must_use]
    pub const fn max_queued_fds(mut self, descriptors: usize) -> Self {
        self.max_queued_fds = descriptors;
        self
    }

    /// Sets how many conversations may exist at the same time. Each peer has at most one. The default
    /// is 16,384.
    ///
    /// A conversation whose handler answers without waiting does not count. Beyond this limit, a conversation that has
    /// received only datagrams that do not decode gives its place to the next peer, and with a [guard](crate::Guard)
    /// also one whose peer is idle and not validated. If there is none, datagrams from new peers are dropped and
    /// count as [`DropReason::ConversationLimit`](crate::DropReason::ConversationLimit).
    #[must_use]
    pub const fn max_conversations(mut self, peers: usize) -> Self {
        self.max_conversations = peers;
        self
    }

    /// Sets the length of the longest datagram that the server receives, in bytes. The default is 65,535,
    /// more than UDP can carry; larger values have an effect over Unix sockets only, up to 4 MiB. Longer
    /// datagrams are dropped and count as [`DropReason::Truncated`](crate::DropReason::Truncated).
    #[doc(alias = "bytes")]
    #[must_use]
    pub const fn max_datagram_size(mut self, bytes: usize) -> Self {
        self.max_datagram_size = bytes;
        self
    }

    /// Sets how long a datagram may wait before a handler receives it. The default is `None`: without a limit. With a
    /// [guard](crate::Guard::max_queue_time) it is 1 second; the shorter of the two limits applies.
    ///
    /// A server that gets more requests than it can answer would otherwise answer only requests that have waited for a
    /// long time, whose senders have given up. Set it to the time that your clients wait for a reply, or less. Datagrams
    /// that wait longer are dropped before they are decoded, and count as [`DropReason::Late`](crate::DropReason::Late).
    ///
    /// # Overload
    ///
    /// With such a limit, a worker whose handlers keep it busy for more than 5 ms goes on to receive meanwhile (it looks at
    /// the clock after every 8 datagrams):
    ///
    /// - Datagrams for conversations that run come before those of new peers.
    /// - Datagrams of new peers wait in the worker, in order. When the oldest of them has waited for more than 5 ms for
    ///   100 ms without interruption, the server is overloaded: it serves the peers that came last first. So those that it
    ///   serves wait for a short time, and the others are dropped when their time is over. If newer datagrams of a peer
    ///   wait, its older ones are dropped after 100 ms already. The numbers are those of CoDel
    ///   ([RFC 8289](https://www.rfc-editor.org/rfc/rfc8289#section-4)).
    /// - Datagrams of one peer stay in order. [`max_queue_len`](Self::max_queue_len),
    ///   [`max_queue_bytes`](Self::max_queue_bytes) and [`max_total_queue_bytes`](Self::max_total_queue_bytes) apply. If
    ///   there is no more room, the new peer that has waited longest loses its datagrams.
    ///
    /// Time counts from when the worker reads a datagram, or a repetition of it that the [reply cache](crate::ReplyCache)
    /// knows. The kernel reports how long it had waited before, on Linux over
    /// UDP and as long as the server is overloaded. It does not count the time that a handler takes before its first `recv`.
    /// What a handler has received is never late.
    ///
    /// A request that waits for a thread of a [`blocking::handler`](crate::blocking::handler), or for a
    /// [service of tower](crate::tower), is not received yet. The threads of a `blocking::handler` also serve those that came
    /// last first, when their line stands.
    #[doc(alias("overload", "deadline", "CoDel", "LIFO", "load shedding"))]
    #[must_use]
    pub fn max_queue_time(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.max_queue_time = limit.into();
        self
    }

    /// Sets how long one `recv` may wait before it returns [`RecvError::Idle`]. The default is 60 seconds;
    /// `None` means no timeout. Without a timeout, silent peers could use up
    /// [`max_conversations`](Self::max_conversations).
    /// Over Unix sockets, it also limits how long a `send` waits for a peer that does not read.
    ///
    /// [`RecvError::Idle`]: crate::RecvError::Idle
    #[must_use]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = limit.into();
        self
    }

    /// Sets how long one `recv` may wait, before it returns [`RecvError::Idle`], in a conversation whose peer has sent only
    /// datagrams that do not decode. The default is 5 seconds. [`idle_timeout`](Self::idle_timeout) applies too.
    ///
    /// A handler that goes on after [`RecvError::Decode`] keeps its place meanwhile. Such a conversation also gives its
    /// place to the next peer when [`max_conversations`](Self::max_conversations) is reached.
    ///
    /// [`RecvError::Idle`]: crate::RecvError::Idle
    /// [`RecvError::Decode`]: crate::RecvError::Decode
    #[must_use]
    pub const fn undecoded_timeout(mut self, timeout: Duration) -> Self {
        self.undecoded_timeout = timeout;
        self
    }

    /// Sets how long running conversations may go on at shutdown before they are dropped. The default is 750
    /// ms; 0 drops them at once.
    #[must_use]
    pub const fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Sets how long a datagram may wait for room in the kernel's send buffer. The default is 100 ms;
    /// `Duration::MAX` means no timeout. Over Unix sockets, [`idle_timeout`](Self::idle_timeout) is the limit
    /// instead.
    ///
    /// A send buffer stays full if a link is congested, or if hosts on the local network do not answer: the
    /// kernel keeps datagrams to such a neighbour for 3 seconds. After this timeout the datagram is dropped,
    /// counted in [`ServerStats::send_timeouts`](crate::ServerStats::send_timeouts) and logged. So when there
    /// is room again, replies to other peers are not late.
    #[must_use]
    pub const fn send_timeout(mut self, timeout: Duration) -> Self {
        self.send_timeout = timeout;
        self
    }

    /// Sets how many background tasks of [`Spawner::spawn`] and [`Peer::spawn`] may run at the same time. The
    /// default is 16,384; 0 means none.
    ///
    /// Tasks of [`ServerContext::spawn`] do not count.
    ///
    /// [`Spawner::spawn`]: crate::Spawner::spawn
    /// [`Peer::spawn`]: crate::Peer::spawn
    /// [`ServerContext::spawn`]: crate::ServerContext::spawn
    #[must_use]
    pub const fn max_tasks(mut self, tasks: usize) -> Self {
        self.max_tasks = tasks;
        self
    }

    /// Sets how many `tracing` events about peers are logged per second, for each level. The default is 10.
    /// Events beyond this number are not logged, and count in
    /// [`ServerStats::suppressed_events`](crate::ServerStats::suppressed_events).
    #[must_use]
    pub const fn max_events_per_second(mut self, events: usize) -> Self {
        self.max_events_per_second = events;
        self
    }

    /// Returns how many datagrams may wait for a peer; see [`max_queue_len`](Self::max_queue_len).
    #[must_use]
    pub const fn get_max_queue_len(&self) -> usize {
        self.max_queue_len
    }

    /// Returns how many bytes may wait for one peer; see [`max_queue_bytes`](Self::max_queue_bytes).
    #[must_use]
    pub const fn get_max_queue_bytes(&self) -> usize {
        self.max_queue_bytes
    }

    /// Returns which datagram is dropped when a queue is full; see [`overflow`](Self::overflow).
    #[must_use]
    pub const fn get_overflow(&self) -> Overflow {
        self.overflow
    }

    /// Returns how many bytes may wait for all peers together; see
    /// [`max_total_queue_bytes`](Self::max_total_queue_bytes).
    #[must_use]
    pub const fn get_max_total_queue_bytes(&self) -> usize {
        self.max_total_queue_bytes
    }

    /// Returns how many file descriptors may wait; see [`max_queued_fds`](Self::max_queued_fds).
    #[must_use]
    pub const fn get_max_queued_fds(&self) -> usize {
        self.max_queued_fds
    }

    /// Returns how many conversations may exist at the same time; see
    /// [`max_conversations`](Self::max_conversations).
    #[must_use]
    pub const fn get_max_conversations(&self) -> usize {
        self.max_conversations
    }

    /// Returns the length of the longest datagram that is received; see
    /// [`max_datagram_size`](Self::max_datagram_size).
    #[must_use]
    pub const fn get_max_datagram_size(&self) -> usize {
        self.max_datagram_size
    }

    /// Returns how long a datagram may wait; see [`max_queue_time`](Self::max_queue_time).
    #[must_use]
    pub const fn get_max_queue_time(&self) -> Option<Duration> {
        self.max_queue_time
    }

    /// Returns how long one `recv` may wait; see [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub const fn get_idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Returns how long one `recv` may wait after junk; see [`undecoded_timeout`](Self::undecoded_timeout).
    #[must_use]
    pub const fn get_undecoded_timeout(&self) -> Duration {
        self.undecoded_timeout
    }

    /// Returns how long conversations may go on at shutdown; see [`shutdown_grace`](Self::shutdown_grace).
    #[must_use]
    pub const fn get_shutdown_grace(&self) -> Duration {
        self.shutdown_grace
    }

    /// Returns how long a datagram may wait for room in the kernel; see [`send_timeout`](Self::send_timeout).
    #[must_use]
    pub const fn get_send_timeout(&self) -> Duration {
        self.send_timeout
    }

    /// Returns how many background tasks may run at the same time; see [`max_tasks`](Self::max_tasks).
    #[must_use]
    pub const fn get_max_tasks(&self) -> usize {
        self.max_tasks
    }

    /// Returns how many events about peers are logged per second, for each level; see
    /// [`max_events_per_second`](Self::max_events_per_second).
    #[must_use]
    pub const fn get_max_events_per_second(&self) -> usize {
        self.max_events_per_second
    }

    /// Returns an error if a limit is 0 and the server could not receive or send with it.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        let zero = [
            ("max_queue_bytes", self.max_queue_bytes == 0),
            ("max_total_queue_bytes", self.max_total_queue_bytes == 0),
            ("max_conversations", self.max_conversations == 0),
            ("max_datagram_size", self.max_datagram_size == 0),
            ("max_queue_time", self.max_queue_time == Some(Duration::ZERO)),
            ("idle_timeout", self.idle_timeout == Some(Duration::ZERO)),
            ("undecoded_timeout", self.undecoded_timeout.is_zero()),
            ("send_timeout", self.send_timeout.is_zero()),
            ("max_events_per_second", self.max_events_per_second == 0),
        ];
        match zero.iter().find(|(_, zero)| *zero) {
            Some((name, _)) => Err(LimitError::Zero(name)),
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
            max_queued_fds: 256,
            max_conversations: 16_384,
            max_datagram_size: 65_535,
            max_queue_time: None,
            idle_timeout: Some(Duration::from_secs(60)),
            undecoded_timeout: Duration::from_secs(5),
            shutdown_grace: Duration::from_millis(750),
            send_timeout: Duration::from_millis(100),
            max_tasks: 16_384,
            max_events_per_second: 10,
        }
    }
}

#[cfg(test)]
mod tests;
