//! Why datagrams are dropped.

use std::fmt;

/// The reason why a datagram was dropped before a handler received it. Each dropped datagram has exactly one
/// reason.
///
/// `println!("{}", handle.stats())` shows the reasons and the numbers. When a limit or the kernel drops a
/// datagram, the first drop for each reason is logged at WARN, once per run of `serve`.
/// [The list of checks](crate::_documentation::troubleshooting) says what to change.
///
/// # Examples
///
/// ```
/// use datagrammar::{DropReason, ServerStats};
///
/// let stats = ServerStats::default();
/// assert_eq!(stats.dropped(DropReason::QueueFull), 0);
/// assert_eq!(DropReason::QueueFull.to_string(), "queue_full");
/// assert_eq!(DropReason::ALL.len(), stats.drops().count());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The peer's queue was full: [`max_queue_len`](crate::Limits::max_queue_len) or
    /// [`max_queue_bytes`](crate::Limits::max_queue_bytes).
    QueueFull,
    /// The queues of all peers together were full:
    /// [`max_total_queue_bytes`](crate::Limits::max_total_queue_bytes).
    MemoryLimit,
    /// [`max_conversations`](crate::Limits::max_conversations) was reached, and no conversation gave its place; see
    /// [`evicted`](crate::ServerStats::evicted). Also datagrams of a conversation that has just lost its place.
    ConversationLimit,
    /// It was longer than [`Limits::max_datagram_size`](crate::Limits::max_datagram_size). Or you set an
    /// option through a [`SocketRef`](crate::SocketRef), and the kernel attaches more control messages than the
    /// server has room for. In that case, datagrams that the kernel has merged (GRO) count as one.
    Truncated,
    /// Its source address cannot be answered, or the [source filter](crate::ServerBuilder::source_filter) or the
    /// [guard](crate::Guard::refused_ports) refused it.
    Refused,
    /// The handler returned without receiving it.
    Unread,
    /// It arrived while the server did not serve, after an earlier `serve` had ended.
    Stale,
    /// It arrived or waited during a shutdown, or came from a new peer during a
    /// [`drain`](crate::ServerHandle::drain).
    ShuttingDown,
    /// The kernel dropped it, usually because the socket's receive buffer was full. The server never received
    /// it.
    ///
    /// With a [kernel filter](crate::ServerBuilder::kernel_filter), or one that you attached to your own socket, these
    /// are also the datagrams that the filter dropped. The kernel has one counter for both. Only its count for all
    /// sockets of the host tells them apart: `nstat -az UdpRcvbufErrors Udp6RcvbufErrors` shows full buffers only.
    ///
    /// Only Linux reports this, if [`batch_io`](crate::Udp::batch_io) is on. The count includes all drops
    /// since the server was bound, also those just now. Datagrams that the kernel has merged (GRO) count as
    /// one.
    Kernel,
    /// Its sender is a Unix socket without a name, and
    /// [`Unix::unnamed_peers`](crate::Unix::unnamed_peers) does not allow that.
    Unnamed,
    /// It came with file descriptors, and [`max_queued_fds`](crate::Limits::max_queued_fds) was reached. They
    /// were closed.
    Descriptors,
    /// It repeated a request that the [reply cache](crate::ReplyCache) or the [reply store](crate::ReplyStore) knows, or
    /// a chunk of one. If the request has a reply, the peer got it again: see
    /// [`replayed`](crate::ServerStats::replayed).
    Duplicate,
    /// The [reply store](crate::ReplyStore) failed or was too slow, so that nobody knows whether the request is new.
    /// See [`ReplyCache::store_failure`](crate::ReplyCache::store_failure).
    StoreFailed,
    /// Its source had sent more than a [rate limit](crate::ServerBuilder::rate_limit) allows, or the
    /// [guard](crate::Guard::reply_rate) would refuse the reply to it.
    Rate,
    /// It was a [chunk](crate::Chunked) that is malformed or contradicts others, of a request that is too long, or of one
    /// more request than a peer may have incomplete. Or it asked for chunks of a reply that is not in the reply cache.
    Chunk,
    /// It carried no valid [address token](crate::AddressTokens), and the server asked for one: its sender got a challenge, if
    /// the protocol has one for it; see [`challenges`](crate::ServerStats::challenges).
    Unproven,
    /// It was not in an [envelope](crate::ServerBuilder::address_token_envelope), and the server has this option. Its sender
    /// probably does not have it.
    NoEnvelope,
    /// The server [trusts proxies](crate::ServerBuilder::trust_proxy). Either a proxy has sent the datagram without a valid
    /// header, or somebody else has sent it with one, or without one to a server that
    /// [requires](crate::ServerBuilder::require_proxy) a proxy. The first one is logged at WARN, with its source and what is
    /// wrong.
    ProxyHeader,
    /// It had waited longer than [`Limits::max_queue_time`](crate::Limits::max_queue_time), or the
    /// [guard's](crate::Guard::max_queue_time): the server gets more requests than its handlers can answer in time.
    Late,
    /// The [service of tower](crate::tower) that is the handler was not ready for it in time. See
    /// [`ServiceHandler::ready_timeout`](crate::tower::ServiceHandler::ready_timeout).
    Busy,
    /// It was not lost: the server has [handed over](crate::ServerHandle::hand_over) its sockets, the conversation that it
    /// waited for has ended, and the process that took over got it.
    HandedOver,
    /// During a [hand-over](crate::TakeOver), more than 4 MiB were on their way to the old process, or waited for what it
    /// returns.
    HandOverFull,
}

impl DropReason {
    /// All reasons, in the order of their declaration.
    pub const ALL: &[Self] = &[
        Self::QueueFull,
        Self::MemoryLimit,
        Self::ConversationLimit,
        Self::Truncated,
        Self::Refused,
        Self::Unread,
        Self::Stale,
        Self::ShuttingDown,
        Self::Kernel,
        Self::Unnamed,
        Self::Descriptors,
        Self::Duplicate,
        Self::StoreFailed,
        Self::Rate,
        Self::Chunk,
        Self::Unproven,
        Self::NoEnvelope,
        Self::ProxyHeader,
        Self::Late,
        Self::Busy,
        Self::HandedOver,
        Self::HandOverFull,
    ];

    /// Returns the name of the reason in `snake_case`, for labels in metrics and logs: `queue_full`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::MemoryLimit => "memory_limit",
            Self::ConversationLimit => "conversation_limit",
            Self::Truncated => "truncated",
            Self::Refused => "refused",
            Self::Unread => "unread",
            Self::Stale => "stale",
            Self::ShuttingDown => "shutting_down",
            Self::Kernel => "kernel",
            Self::Unnamed => "unnamed",
            Self::Descriptors => "descriptors",
            Self::Duplicate => "duplicate",
            Self::StoreFailed => "store_failed",
            Self::Rate => "rate",
            Self::Chunk => "chunk",
            Self::Unproven => "unproven",
            Self::NoEnvelope => "no_envelope",
            Self::ProxyHeader => "proxy_header",
            Self::Late => "late",
            Self::Busy => "busy",
            Self::HandedOver => "handed_over",
            Self::HandOverFull => "hand_over_full",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
